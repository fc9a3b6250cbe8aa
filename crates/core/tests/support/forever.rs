//! Values that live as long as the tests.

use std::any::Any;
use std::sync::{Mutex, PoisonError};

static KEPT: Mutex<Vec<Box<dyn Any + Send>>> = Mutex::new(Vec::new());

/// Keeps values until the tests end, for what a build would have as constants. Still referred to, so
/// that a search for leaks does not find them in place of a leak of the core.
pub fn forever<T: Send + Sync>(values: Vec<T>) -> &'static [T] {
    let values: &'static [T] = values.leak();
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push(Box::new(values));
    values
}
