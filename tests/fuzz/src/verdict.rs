//! How a claim about an input fails: with words, so that a fuzzer's finding explains itself.

/// Whether a claim held for one input; the error says what falsified it.
pub(crate) type Verdict = Result<(), String>;

/// Ends the judgement with words when a condition does not hold.
macro_rules! claim {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err(format!($($words)+));
        }
    };
}
pub(crate) use claim;

/// Runs `work` and says how many bytes it held at once, at most, on top of what there was.
pub(crate) fn peak<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let mut result = None;
    let counted = allocation_counter::measure(|| result = Some(work()));
    (result.expect("the work was done"), counted.bytes_max)
}

/// A length as the allocation counter counts.
pub(crate) fn bytes(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
