//! Everything at once, at random.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A sample's protection with everything that may vary, and the bytes.
#[derive(Debug)]
struct Case {
    key: [u8; 16],
    scheme: Scheme,
    pattern: Pattern,
    iv: Vec<u8>,
    table: Option<Vec<Subsample>>,
    clear: Vec<u8>,
}

impl Case {
    fn protection(&self) -> SampleProtection<'_> {
        let &Case {
            scheme,
            pattern,
            ref iv,
            ref table,
            ..
        } = self;
        SampleProtection {
            scheme,
            pattern,
            iv,
            subsamples: table.as_deref(),
        }
    }
}

fn schemes() -> impl Strategy<Value = Scheme> {
    prop_oneof![
        Just(Scheme::Cenc),
        Just(Scheme::Cens),
        Just(Scheme::Cbc1),
        Just(Scheme::Cbcs)
    ]
}

fn patterns() -> impl Strategy<Value = Pattern> {
    let usual = prop_oneof![Just((0, 0)), Just((1, 9)), Just((5, 5)), Just((10, 0))];
    prop_oneof![usual, (1..16_u8, 0..16_u8)].prop_map(|(crypt, skip)| Pattern { crypt, skip })
}

/// IVs of both sizes; 16-byte ones with counters at random and just before a wrap of 32 or 64 bits.
fn ivs() -> impl Strategy<Value = Vec<u8>> {
    let counters = prop_oneof![
        any::<u64>(),
        (0..600_u64).prop_map(|short| u64::MAX - short),
        (any::<u32>(), 0..600_u64)
            .prop_map(|(upper, short)| (u64::from(upper) << 32) | (0xffff_ffff - short)),
    ];
    prop_oneof![
        vec(any::<u8>(), 8),
        (any::<[u8; 8]>(), counters)
            .prop_map(|(upper, counter)| [upper, counter.to_be_bytes()].concat()),
    ]
}

/// Tables from none to more than 255 entries, with empty, short, odd and long ranges.
fn tables() -> impl Strategy<Value = Vec<Subsample>> {
    let clear = prop_oneof![Just(0), 0..40_u32];
    let protected = prop_oneof![2 => Just(0), 4 => 0..80_u32, 2 => (0..30_u32).prop_map(|n| 16 * n),
                                1 => 1000..3000_u32];
    let entry = (clear, protected).prop_map(|(clear, protected)| Subsample { clear, protected });
    let short =
        (0..30_u32, 0..50_u32).prop_map(|(clear, protected)| Subsample { clear, protected });
    prop_oneof![8 => vec(entry, 0..8), 1 => vec(short, 256..400)]
}

fn cases() -> impl Strategy<Value = Case> {
    let tables = prop_oneof![3 => tables().prop_map(Some), 1 => Just(None)];
    (
        any::<[u8; 16]>(),
        schemes(),
        patterns(),
        ivs(),
        tables,
        0..3000_usize,
        any::<u8>(),
    )
        .prop_map(|(key, scheme, mut pattern, iv, mut table, whole, seed)| {
            if matches!(scheme, Scheme::Cenc | Scheme::Cbc1) {
                pattern = NONE;
            }
            for entry in table.iter_mut().flatten() {
                if scheme == Scheme::Cbc1 {
                    entry.protected -= entry.protected % 16;
                }
            }
            let len = table.as_ref().map_or(whole, |table| {
                table
                    .iter()
                    .map(|entry| (entry.clear + entry.protected) as usize)
                    .sum()
            });
            let clear = clear(len).iter().map(|byte| byte ^ seed).collect();
            Case {
                key,
                scheme,
                pattern,
                iv,
                table,
                clear,
            }
        })
}

/// Feeds a sample to the streaming interface, each range cut into pieces of at most the sizes that
/// `cuts` gives in turn (in blocks; 0 is an empty piece).
fn decrypt_in_pieces(case: &Case, data: &mut [u8], cuts: &[usize]) {
    let key = ContentKey::new(&case.key);
    let mut sample = key.sample(case.scheme, case.pattern, &case.iv).unwrap();
    let mut cuts = cuts.iter().cycle();
    let mut feed = |sample: &mut crate::SampleDecryptor<'_>, mut range: &mut [u8]| {
        while !range.is_empty() {
            let cut = (16 * cuts.next().unwrap()).min(range.len());
            let (piece, rest) = range.split_at_mut(cut);
            sample.piece(piece).unwrap();
            range = rest;
        }
    };
    let Some(table) = &case.table else {
        sample.whole(data.len() as u64).unwrap();
        return feed(&mut sample, data);
    };
    let mut rest = data;
    for entry in table {
        let (_, behind) = rest.split_at_mut(entry.clear as usize);
        let (range, behind) = behind.split_at_mut(entry.protected as usize);
        sample.range(entry.protected.into()).unwrap();
        feed(&mut sample, range);
        rest = behind;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn the_room_and_the_reference_agree(case in cases()) {
        let mut data = reference::encrypt(&case.key, &case.protection(), &case.clear);
        let key = ContentKey::new(&case.key);
        prop_assert_eq!(key.decrypt_sample(&case.protection(), &mut data), Ok(()));
        prop_assert!(data == case.clear);
    }

    #[test]
    fn the_cut_into_pieces_does_not_matter(
        case in cases(),
        cuts in vec(0..20_usize, 1..10),
        last in 1..20_usize,
    ) {
        let mut data = reference::encrypt(&case.key, &case.protection(), &case.clear);
        decrypt_in_pieces(&case, &mut data, &[cuts, std::vec![last]].concat());
        prop_assert!(data == case.clear);
    }

    #[test]
    fn any_table_is_decrypted_or_refused_untouched(
        scheme in schemes(),
        crypt in 0..18_u8,
        skip in 0..18_u8,
        iv in vec(any::<u8>(), 0..18),
        table in tables(),
        exact in any::<bool>(),
        short in 0..300_usize,
    ) {
        let key = ContentKey::new(&KEY);
        let covered = table.iter().map(|entry| (entry.clear + entry.protected) as usize).sum();
        let len = if exact { covered } else { short };
        let protection =
            SampleProtection { scheme, pattern: Pattern { crypt, skip }, iv: &iv, subsamples: Some(&table) };
        let mut data = clear(len);
        if key.decrypt_sample(&protection, &mut data).is_err() {
            prop_assert!(data == clear(len));
        } else {
            prop_assert!(reference::encrypt(&KEY, &protection, &data) == clear(len));
        }
    }
}
