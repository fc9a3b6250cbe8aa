//! Runs the cases and says how each ended.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::ground::Ground;
use crate::{Case, Fault, Subject};

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The promise is kept.
    Ok,
    /// It is not, and why.
    Failed(String),
    /// This subject does not have what the case needs, which is named.
    NotApplicable(String),
}

/// A case and its outcome. As text one line: outcome, id, time, promise; then the reason, if any.
/// Fields are parted by tabs.
#[derive(Clone, Debug)]
pub struct Report {
    /// The case's id.
    pub id: &'static str,
    /// The case's promise.
    pub promise: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, why) = match &self.outcome {
            Outcome::Ok => ("ok", None),
            Outcome::Failed(why) => ("FAILED", Some(why)),
            Outcome::NotApplicable(why) => ("not applicable", Some(why)),
        };
        let millis = self.took.as_millis();
        write!(f, "{word}\t{}\t{millis} ms\t{}", self.id, self.promise)?;
        why.map_or(Ok(()), |why| write!(f, "\t{why}"))
    }
}

/// How many cases ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Promises kept.
    pub ok: usize,
    /// Promises broken.
    pub failed: usize,
    /// Cases that the subject does not have the means for.
    pub not_applicable: usize,
}

impl Summary {
    /// Counts.
    #[must_use]
    pub fn of(reports: &[Report]) -> Self {
        let mut summary = Self::default();
        for report in reports {
            *match report.outcome {
                Outcome::Ok => &mut summary.ok,
                Outcome::Failed(_) => &mut summary.failed,
                Outcome::NotApplicable(_) => &mut summary.not_applicable,
            } += 1;
        }
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            ok,
            failed,
            not_applicable,
        } = self;
        let all = ok + failed + not_applicable;
        write!(
            f,
            "{all} cases, {ok} ok, {failed} failed, {not_applicable} not applicable"
        )
    }
}

/// Runs `cases` against `subject` and hands each report to `each` as soon as it is there. Gives
/// them all.
///
/// # Errors
/// When the subject cannot even be asked what it is, or its decoder does not open though it has one.
pub fn run<'c>(
    subject: &dyn Subject,
    cases: impl IntoIterator<Item = &'c Case>,
    mut each: impl FnMut(&Report),
) -> Result<Vec<Report>, Fault> {
    let ground = Ground::new(subject)?;
    let reports = cases.into_iter().map(|case| {
        let begin = Instant::now();
        let outcome = outcome(&ground, case);
        let report = Report {
            id: case.id,
            promise: case.promise,
            outcome,
            took: begin.elapsed(),
        };
        each(&report);
        report
    });
    Ok(reports.collect())
}

fn outcome(ground: &Ground<'_>, case: &Case) -> Outcome {
    let lacking = case.needs.iter().find(|need| ground.lacks(**need));
    if let Some(need) = lacking {
        return Outcome::NotApplicable(format!("it needs {need}"));
    }
    // The scripted service panics at what it cannot read; a backend that made it so has failed.
    match catch_unwind(AssertUnwindSafe(|| (case.run)(ground))) {
        Ok(Ok(())) => Outcome::Ok,
        Ok(Err(Fault(why))) => Outcome::Failed(why),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Outcome::Failed(format!("panicked: {}", text.unwrap_or("without a word")))
        }
    }
}
