//! How many frames a decoder of a level keeps (ITU-T H.264 table A-1 and clause A.3.1).

/// The most frames that any level keeps.
pub(crate) const MAX_FRAMES: u32 = 16;

/// `MaxDpbFrames` of a level for pictures of `macroblocks`: from `MaxDpbMbs`. `None` for a level that
/// the standard does not name.
pub(crate) fn max_dpb_frames(
    level_idc: u8,
    constraint_set3: bool,
    profile_idc: u8,
    macroblocks: u32,
) -> Option<u32> {
    // Level 1b is 9, or 11 with constraint_set3_flag in the profiles older than High.
    let is_1b = level_idc == 9
        || (level_idc == 11 && constraint_set3 && matches!(profile_idc, 66 | 77 | 88));
    let max_dpb_mbs: u32 = match level_idc {
        _ if is_1b => 396,
        10 => 396,
        11 => 900,
        12 | 13 | 20 => 2_376,
        21 => 4_752,
        22 | 30 => 8_100,
        31 => 18_000,
        32 => 20_480,
        40 | 41 => 32_768,
        42 => 34_816,
        50 => 110_400,
        51 | 52 => 184_320,
        60..=62 => 696_320,
        _ => return None,
    };
    Some(max_dpb_mbs.checked_div(macroblocks)?.min(MAX_FRAMES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_follow_from_the_level_and_the_size() {
        // Examples anyone can check: QCIF and CIF at their usual levels, 1080p at 4.0.
        assert_eq!(max_dpb_frames(10, false, 66, 99), Some(4));
        assert_eq!(max_dpb_frames(13, false, 77, 396), Some(6));
        assert_eq!(max_dpb_frames(40, false, 100, 8_160), Some(4));
        assert_eq!(max_dpb_frames(51, false, 100, 99), Some(16));
    }

    #[test]
    fn level_1b_is_named_in_two_ways() {
        assert_eq!(max_dpb_frames(9, false, 100, 99), Some(4));
        assert_eq!(max_dpb_frames(11, true, 66, 99), Some(4));
        assert_eq!(max_dpb_frames(11, true, 100, 99), Some(9));
    }

    #[test]
    fn an_unknown_level_has_no_bound_and_a_large_picture_fits_no_frame() {
        assert_eq!(max_dpb_frames(14, false, 100, 99), None);
        assert_eq!(max_dpb_frames(255, false, 100, 99), None);
        assert_eq!(max_dpb_frames(10, false, 100, 397), Some(0));
        assert_eq!(max_dpb_frames(10, false, 100, 0), None);
    }
}
