//! From decoding order to presentation order (ITU-T H.264 clause C.4.5.3, as far as output goes).

use alloc::vec::Vec;

use crate::engine::Samples;

/// A decoded picture on its way to the sink.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Its samples.
    pub(crate) samples: Samples,
    /// The presentation time of its unit.
    pub(crate) time: u64,
}

/// Pictures that are not yet known to be the next to be shown: all of one sequence, from one
/// IDR picture to the next.
#[derive(Debug, Default)]
pub(crate) struct Order {
    waiting: Vec<Waiting>,
}

impl Order {
    /// Adds a picture.
    pub(crate) fn push(&mut self, picture: Waiting) {
        self.waiting.push(picture);
    }

    /// Takes the next picture if more than `depth` wait: then none that comes later is shown before.
    pub(crate) fn next(&mut self, depth: usize) -> Option<Waiting> {
        if self.waiting.len() <= depth {
            return None;
        }
        // The first among equals, which no conforming stream has.
        let next = self
            .waiting
            .iter()
            .enumerate()
            .min_by_key(|(_, picture)| picture.samples.order)
            .map(|(place, _)| place)?;
        Some(self.waiting.remove(next))
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(order: i32) -> Waiting {
        Waiting {
            samples: Samples {
                order,
                ..Samples::default()
            },
            time: order.unsigned_abs().into(),
        }
    }

    fn shown(depth: usize, decoded: &[i32]) -> Vec<i32> {
        let mut order = Order::default();
        let mut shown = Vec::new();
        for &count in decoded {
            order.push(picture(count));
            while let Some(next) = order.next(depth) {
                shown.push(next.samples.order);
            }
        }
        while let Some(next) = order.next(0) {
            shown.push(next.samples.order);
        }
        shown
    }

    #[test]
    fn pictures_come_out_in_order_at_the_depth_that_they_need() {
        let pyramid = [0, 8, 4, 2, 6, 16, 12, 10, 14];
        assert_eq!(shown(2, &pyramid), [0, 2, 4, 6, 8, 10, 12, 14, 16]);
        assert_eq!(shown(16, &pyramid), [0, 2, 4, 6, 8, 10, 12, 14, 16]);
        assert_eq!(shown(0, &pyramid), pyramid, "no depth, no order");
    }

    #[test]
    fn a_depth_of_two_holds_two_pictures_back() {
        let mut order = Order::default();
        for count in [0, 4] {
            order.push(picture(count));
            assert!(order.next(2).is_none());
        }
        order.push(picture(2));
        assert_eq!(order.next(2).unwrap().time, 0);
        assert!(order.next(2).is_none());
        order.clear();
        assert!(order.next(0).is_none());
    }
}
