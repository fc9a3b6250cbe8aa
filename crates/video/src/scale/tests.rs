use alloc::vec;

use super::*;

/// The scaler once more, from the rule at the head of the module and nothing else: exact fractions,
/// one sample of the result at a time, every source sample looked at.
mod reference {
    use alloc::vec::Vec;

    /// Edge `i` of `m` over `n` source samples, in 1/65536.
    fn edge(i: i128, m: i128, n: i128, s: i128) -> i128 {
        if i == 0 {
            return 0;
        }
        if i == m {
            return 65_536 * n;
        }
        let quarters = 65_536 * (4 * i * n + s * (n - m));
        quarters.div_euclid(4 * m).clamp(0, 65_536 * n)
    }

    /// How much of source sample `j` lies between two edges.
    fn covered(j: i128, from: i128, to: i128) -> i128 {
        (to.min(65_536 * (j + 1)) - from.max(65_536 * j)).max(0)
    }

    pub(super) fn plane(
        samples: &[u8],
        (width, height): (u32, u32),
        (to_width, to_height): (u32, u32),
        (across, down): (i128, i128),
    ) -> Vec<u8> {
        let (n, m) = (i128::from(width), i128::from(to_width));
        let (rows, to_rows) = (i128::from(height), i128::from(to_height));
        let mut scaled = Vec::new();
        for y in 0..to_rows {
            for x in 0..m {
                let (left, right) = (edge(x, m, n, across), edge(x + 1, m, n, across));
                let (top, bottom) = (
                    edge(y, to_rows, rows, down),
                    edge(y + 1, to_rows, rows, down),
                );
                let (mut sum, mut weights) = (0, 0);
                for row in 0..rows {
                    for column in 0..n {
                        let weight = covered(column, left, right) * covered(row, top, bottom);
                        sum += weight * i128::from(samples[(row * n + column) as usize]);
                        weights += weight;
                    }
                }
                // Half up: the floor of the quotient and a half.
                scaled.push(((2 * sum + weights) / (2 * weights)) as u8);
            }
        }
        scaled
    }
}

const SITINGS: [(ChromaSiting, i128, i128); 6] = [
    (ChromaSiting::Left, -1, 0),
    (ChromaSiting::Centre, 0, 0),
    (ChromaSiting::TopLeft, -1, -1),
    (ChromaSiting::Top, 0, -1),
    (ChromaSiting::BottomLeft, -1, 1),
    (ChromaSiting::Bottom, 0, 1),
];

/// Samples that repeat in no simple way.
fn noise(count: u32, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

struct Source {
    width: u32,
    height: u32,
    planes: [Vec<u8>; 3],
}

impl Source {
    fn noise(width: u32, height: u32) -> Self {
        let (half, quarter) = (width * height, width * height / 4);
        Self {
            width,
            height,
            planes: [noise(half, 1), noise(quarter, 2), noise(quarter, 3)],
        }
    }

    fn flat(width: u32, height: u32, value: u8) -> Self {
        let size = (width * height) as usize;
        Self {
            width,
            height,
            planes: [
                vec![value; size],
                vec![value; size / 4],
                vec![value; size / 4],
            ],
        }
    }

    fn picture(&self, siting: ChromaSiting) -> Picture<'_> {
        let plane = |index: usize, shift: u32| Plane {
            samples: &self.planes[index],
            width: self.width >> shift,
            height: self.height >> shift,
        };
        Picture {
            time: 7,
            luma: plane(0, 0),
            cb: plane(1, 1),
            cr: plane(2, 1),
            siting,
        }
    }
}

#[test]
fn every_sample_is_what_the_rule_says() {
    let mut scaler = Scaler::default();
    for (from, to) in [
        ((16, 16), (8, 8)),
        ((64, 48), (62, 46)),
        ((64, 48), (42, 32)),
        ((64, 48), (2, 2)),
        ((70, 50), (20, 14)),
        ((34, 18), (18, 2)),
        ((6, 40), (2, 14)),
        ((48, 32), (48, 32)),
        ((48, 32), (48, 10)),
    ] {
        let source = Source::noise(from.0, from.1);
        for (siting, across, down) in SITINGS {
            let scaled = scaler.scale(&source.picture(siting), to.0, to.1).unwrap();
            assert_eq!((scaled.time, scaled.siting), (7, siting));
            let luma = reference::plane(&source.planes[0], from, to, (0, 0));
            assert_eq!(scaled.luma.samples, luma, "{from:?} to {to:?}");
            let (half, to_half) = ((from.0 / 2, from.1 / 2), (to.0 / 2, to.1 / 2));
            for (plane, index) in [(scaled.cb, 1), (scaled.cr, 2)] {
                assert_eq!((plane.width, plane.height), to_half);
                let chroma = reference::plane(&source.planes[index], half, to_half, (across, down));
                assert_eq!(plane.samples, chroma, "{from:?} to {to:?}, {siting:?}");
            }
        }
    }
}

#[test]
fn halving_is_the_mean_of_four_rounded_half_up() {
    let source = Source {
        width: 4,
        height: 2,
        planes: [vec![0, 1, 10, 20, 0, 1, 30, 41], vec![9, 9], vec![9, 9]],
    };
    let mut scaler = Scaler::default();
    let picture = source.picture(ChromaSiting::Centre);
    // 4x2 to 2x2: only across, where (0 + 1) / 2 is rounded up.
    let scaled = scaler.scale(&picture, 2, 2).unwrap();
    assert_eq!(scaled.luma.samples, [1, 15, 1, 36]);
}

/// A grey ramp whose chroma lies on the luma it belongs to still does after scaling, whatever the
/// siting: the centre of mass of both moves alike.
#[test]
fn chroma_keeps_its_place_in_relation_to_luma() {
    let (width, height) = (256_u32, 4);
    // Chroma on every second luma sample: value 2 * place, as luma has there.
    let source = Source {
        width,
        height,
        planes: [
            (0..height)
                .flat_map(|_| (0..width).map(|x| x as u8))
                .collect(),
            (0..height / 2)
                .flat_map(|_| (0..width / 2).map(|x| (2 * x) as u8))
                .collect(),
            vec![0; (width * height / 4) as usize],
        ],
    };
    let mut scaler = Scaler::default();
    let scaled = scaler
        .scale(&source.picture(ChromaSiting::Left), 64, 2)
        .unwrap();
    for place in 1..31 {
        let luma = i32::from(scaled.luma.samples[2 * place]);
        let chroma = i32::from(scaled.cb.samples[place]);
        assert!((luma - chroma).abs() <= 1, "{place}: {luma} and {chroma}");
    }
}

#[test]
fn a_flat_picture_stays_flat_and_nothing_leaves_the_range_of_the_source() {
    let mut scaler = Scaler::default();
    for value in [0, 1, 128, 254, 255] {
        let source = Source::flat(50, 38, value);
        let scaled = scaler
            .scale(&source.picture(ChromaSiting::Left), 18, 14)
            .unwrap();
        for plane in [scaled.luma, scaled.cb, scaled.cr] {
            assert!(plane.samples.iter().all(|&sample| sample == value));
        }
    }
}

#[test]
fn the_same_size_is_the_same_picture() {
    let source = Source::noise(22, 14);
    let mut scaler = Scaler::default();
    let scaled = scaler
        .scale(&source.picture(ChromaSiting::Left), 22, 14)
        .unwrap();
    assert_eq!(scaled.luma.samples, source.planes[0]);
    assert_eq!(scaled.cb.samples, source.planes[1]);
    assert_eq!(scaled.cr.samples, source.planes[2]);
}

/// A large picture made as small as can be: the sums do not wrap.
#[test]
fn the_most_samples_in_one_do_not_overflow() {
    let plane = Plane {
        samples: &vec![255; 4_096 * 1_024],
        width: 4_096,
        height: 1_024,
    };
    let (mut columns, mut sums, mut scaled) = (Vec::new(), Vec::new(), Vec::new());
    scale_plane(&mut scaled, &plane, (2, 2), (0, 0), &mut columns, &mut sums).unwrap();
    assert_eq!(scaled, [255; 4]);
}

#[test]
fn nothing_is_enlarged_and_odd_sizes_are_refused() {
    let source = Source::noise(32, 32);
    let picture = source.picture(ChromaSiting::Left);
    let mut scaler = Scaler::default();
    for (width, height) in [(34, 32), (32, 34), (31, 32), (32, 31), (0, 2), (2, 0)] {
        let scaled = scaler.scale(&picture, width, height);
        assert_eq!(
            scaled.err(),
            Some(Refusal::ContentRejected),
            "{width}x{height}"
        );
    }
    let mut short = picture;
    short.cb.samples = &short.cb.samples[1..];
    assert!(scaler.scale(&short, 16, 16).is_err(), "a plane cut short");
}

#[test]
fn the_size_that_fits_is_even_and_keeps_the_shape() {
    assert_eq!(Scaler::fit(352, 288, u64::MAX), Some((352, 288)));
    assert_eq!(Scaler::fit(352, 288, 352 * 288), Some((352, 288)));
    assert_eq!(Scaler::fit(352, 288, 352 * 288 - 1), Some((350, 286)));
    assert_eq!(Scaler::fit(1_920, 1_080, 640 * 360), Some((640, 360)));
    assert_eq!(Scaler::fit(320, 180, 320 * 180 / 4), Some((160, 90)));
    assert_eq!(Scaler::fit(16, 16, 4), Some((2, 2)));
    assert_eq!(Scaler::fit(16, 16, 3), None);
    assert_eq!(Scaler::fit(16, 16, 0), None);
    // Shapes that even sides cannot keep.
    assert_eq!(Scaler::fit(1_600, 2, 100), Some((50, 2)));
    assert_eq!(Scaler::fit(2, 1_600, 100), Some((2, 50)));
}

#[test]
fn every_size_that_fits_is_allowed() {
    for width in (2..80).step_by(2) {
        for height in (2..60).step_by(2) {
            for largest in [4, 5, 17, 100, 1_000, 3_000] {
                let (w, h) = Scaler::fit(width, height, largest).unwrap();
                assert!(u64::from(w) * u64::from(h) <= largest);
                assert!(w <= width && h <= height && w >= 2 && h >= 2);
                assert_eq!((w | h) & 1, 0);
            }
        }
    }
}
