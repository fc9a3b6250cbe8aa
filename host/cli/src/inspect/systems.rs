//! Protection systems by the ids that their `pssh` boxes carry (DASH-IF register of content
//! protection systems).

const SYSTEMS: &[(u128, &str)] = &[
    (0xa138f678_3d7c_4978_8873_227d7bfe109f, "Keybearer"),
    (0x1077efec_c0b2_4d02_ace3_3c1e52e2fb4b, "W3C common"),
    (0xe2719d58_a985_b3c9_781a_b030af78d30e, "ClearKey (DASH-IF)"),
    (0xedef8ba9_79d6_4ace_a3c8_27dcd51d21ed, "Widevine"),
    (0x9a04f079_9840_4286_ab92_e65be0885f95, "PlayReady"),
    (0x94ce86fb_07ff_4f43_adb8_93d2fa968ca2, "FairPlay"),
    (
        0x3d5e6d35_9b9a_41e8_b843_dd3c6e72c42c,
        "WisePlay (ChinaDRM)",
    ),
    (0x5e629af5_38da_4063_8977_97ffbd9902d4, "Marlin"),
    (0xf239e769_efa3_4850_9c16_a903c6932efb, "Primetime"),
    (0xadb41c24_2dbf_4a6d_958b_4457c0d27b95, "Nagra"),
    (0x9a27dd82_fde2_4725_8cbc_4234aa06ec09, "Verimatrix"),
];

/// The name of a system, if it is known here.
pub(super) fn name(id: &[u8; 16]) -> Option<&'static str> {
    let id = u128::from_be_bytes(*id);
    SYSTEMS
        .iter()
        .find(|(known, _)| *known == id)
        .map(|(_, name)| *name)
}

/// An id with the dashes of a UUID.
pub(super) fn uuid(id: &[u8; 16]) -> String {
    let digits = hex::encode(id);
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{name, uuid};

    #[test]
    fn ids_have_names_and_dashes() {
        let common = keybearer_license::SYSTEM_ID;
        assert_eq!(name(&common), Some("Keybearer"));
        assert_eq!(uuid(&common), "a138f678-3d7c-4978-8873-227d7bfe109f");
        assert_eq!(name(&[0; 16]), None);
    }
}
