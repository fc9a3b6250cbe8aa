//! Contenders that take turns.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time of this thread so far.
#[must_use]
pub fn thread_time() -> Duration {
    time(ClockId::ThreadCPUTime)
}

/// CPU time of this process so far, all threads, user and system.
#[must_use]
pub fn process_time() -> Duration {
    time(ClockId::ProcessCPUTime)
}

fn time(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or_default(),
        u32::try_from(now.tv_nsec).unwrap_or_default(),
    )
}

/// One of those that are compared: it does the work once and says what it cost.
pub struct Contender<'a> {
    name: &'static str,
    work: Box<dyn FnMut() -> Duration + 'a>,
}

impl<'a> Contender<'a> {
    /// `work` does everything once and gives what of it counts.
    pub fn new(name: &'static str, work: impl FnMut() -> Duration + 'a) -> Self {
        Self {
            name,
            work: Box::new(work),
        }
    }
}

/// What a contender took.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Who.
    pub name: &'static str,
    /// The least of all rounds.
    pub least: Duration,
    /// The median.
    pub median: Duration,
}

/// Lets each take its turn, so many rounds after one that does not count.
#[must_use]
pub fn take_turns(rounds: usize, mut contenders: Vec<Contender<'_>>) -> Vec<Figure> {
    let mut times: Vec<Vec<Duration>> = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..=rounds {
        for (contender, times) in contenders.iter_mut().zip(&mut times) {
            let time = (contender.work)();
            if round > 0 {
                times.push(time);
            }
        }
    }
    contenders
        .iter()
        .zip(&mut times)
        .map(|(contender, times)| {
            times.sort_unstable();
            Figure {
                name: contender.name,
                least: times.first().copied().unwrap_or_default(),
                median: times.get(times.len() / 2).copied().unwrap_or_default(),
            }
        })
        .collect()
}

/// How many times as long `other` took as `of`, by their medians.
#[must_use]
pub fn ratio(of: &Figure, other: &Figure) -> f64 {
    other.median.as_secs_f64() / of.median.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_round_does_not_count_and_the_median_does() {
        let mut times = [100, 5, 1, 3].map(Duration::from_secs).into_iter();
        let contender = Contender::new("a", || times.next().expect("four rounds are run"));
        let figures = take_turns(3, vec![contender]);
        let [figure] = &figures[..] else {
            panic!("one contender, {} figures", figures.len());
        };
        assert_eq!(figure.median, Duration::from_secs(3));
        assert_eq!(figure.least, Duration::from_secs(1));
    }

    #[test]
    fn a_ratio_tells_how_much_longer_the_other_took() {
        let figure = |name, seconds| Figure {
            name,
            least: Duration::ZERO,
            median: Duration::from_secs(seconds),
        };
        let ratio = ratio(&figure("us", 2), &figure("peer", 6));
        assert!((ratio - 3.0).abs() < f64::EPSILON, "{ratio}");
    }
}
