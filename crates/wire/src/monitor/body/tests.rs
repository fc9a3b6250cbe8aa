use alloc::vec;

use super::*;
use crate::golden::golden;

const HDMI: OutputReport = OutputReport {
    kind: 2,
    hdcp_version: 4,
    hdcp_stream_type: 1,
    cgms_a: 0,
    agc: false,
    color_stripe: false,
    scms: true,
    sound: 2,
    picture: Some(2000),
};

golden! {
    "Look" => Look: Look {};
    "Seen" => Seen: Seen { outputs: List(vec![HDMI]) };
    "SeenNothing" => Seen: Seen { outputs: List(vec![]) };
    "Show" => Show: Show { outputs: Some(List(vec![HDMI, HDMI])) };
    "ShowNothing" => Show: Show { outputs: Some(List(vec![])) };
    "ShowNoAnswer" => Show: Show { outputs: None };
    "Die" => Die: Die {};
}
