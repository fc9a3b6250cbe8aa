//! Changes to inputs, the same in every run: what the ordinary tests do where a fuzzer would be led
//! by coverage.

/// Pseudo-random numbers (xorshift64*).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// A sequence for each seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub const fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from((self.roll() >> 16) % bound).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.roll().to_be_bytes()[0]
    }
}

/// Values at which lengths, counts and types change.
const EDGES: [u32; 12] = [
    0,
    1,
    7,
    8,
    23,
    24,
    255,
    256,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fff8,
    0xffff_ffff,
];

/// A variation of one of the inputs of `corpus`: one to four changes, now and then the tail of
/// another input.
#[must_use]
pub fn vary(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let Some(first) = corpus.get(dice.below(corpus.len())) else {
        return (0..dice.below(64)).map(|_| dice.byte()).collect();
    };
    let mut bytes = first.clone();
    for _ in 0..=dice.below(4) {
        change(&mut bytes, corpus, dice);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(bytes.len() + 1);
    match dice.below(9) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        2 if at < bytes.len() => bytes[at] = dice.byte(),
        3 => bytes.insert(at, dice.byte()),
        4 => {
            let end = (at + 1 + dice.below(8)).min(bytes.len());
            bytes.drain(at.min(end)..end);
        }
        5 => bytes.truncate(at),
        6 => {
            let edge = EDGES[dice.below(EDGES.len())].to_be_bytes();
            let width = 1 << dice.below(3);
            for (to, from) in bytes[at..].iter_mut().zip(&edge[4 - width..]) {
                *to = *from;
            }
        }
        7 => {
            let end = (at + 1 + dice.below(32)).min(bytes.len());
            let again = bytes[at.min(end)..end].to_vec();
            bytes.splice(at..at, again);
        }
        _ => {
            let other = &corpus[dice.below(corpus.len())];
            let from = dice.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
    }
}
