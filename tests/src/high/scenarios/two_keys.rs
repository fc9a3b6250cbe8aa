//! Two keys of one licence session and track at one decoder: what the one is allowed does not help the
//! other's pictures.

use super::*;

/// Decodes five units of the limited key, some of which wait, and then what is given to `follow`; all
/// digests that were told of.
fn after_limited(
    ground: &Ground,
    clip: &Clip,
    follow: impl FnOnce(&mut Decoder) -> Shown,
) -> Vec<[u8; 32]> {
    let mut keys = ground.licensed(&LIMITED);
    let url = ground.service.server().url();
    keys.acquire(&url, CENC.kid).expect("a second licence");
    let mut decoder = ground.ready(&mut keys, clip);
    let mut shown = Shown::default();
    for (time, unit) in (0..).zip(&protected(&LIMITED, clip)[..5]) {
        shown.add(decoder.decode(&LIMITED, time, unit).expect("accepted"));
    }
    assert!(shown.digests.len() < 5, "some pictures wait");
    let rest = follow(&mut decoder);
    [shown.digests, rest.digests].concat()
}

/// The limit of one key's pictures holds for all of them, also where a unit of a key without a limit
/// comes before they are shown, and where one would show them again.
///
/// # Panics
/// When it does not.
pub fn a_limit_holds_beside_another_key(ground: &Ground) {
    let clip = Clip::read("high-352x288");
    let (small, whole) = (clip.scaled(u64::from(SMALL)), clip.digests());
    // An IDR picture of the other key.
    let shown = after_limited(ground, &clip, |decoder| {
        play(decoder, &CENC, &protected(&CENC, &clip)[..1], 100)
    });
    let (last, limited) = shown.split_last().expect("six pictures");
    assert_eq!(limited.len(), 5);
    assert!(limited.iter().all(|digest| small.contains(digest)));
    assert!(limited.iter().all(|digest| !whole.contains(digest)));
    assert_eq!(*last, whole[0]);
    // Units that say "as the picture before", which need no key: all of their bytes are clear.
    let shown = after_limited(ground, &clip, |decoder| {
        let clear = |unit: &Vec<u8>| {
            let len = u16::try_from(unit.len()).expect("a small unit");
            protected_as(unit.clone(), &[0; 16], &[(len, 0)])
        };
        let units: Vec<_> = clip.units[5..8].iter().map(clear).collect();
        play(decoder, &CENC, &units, 100)
    });
    assert_eq!(shown.len(), 5, "nothing but what waited");
    assert!(shown.iter().all(|digest| small.contains(digest)));
}
