//! Random policies, outputs and circumstances.

use std::num::NonZeroU32;

use keybearer_rules::{
    AnalogVideo, CgmsA, CompressedVideo, Content, Device, DigitalAudio, DigitalVideo, Hdcp,
    HdcpVersion, Level, MinSecurity, Output, OutputKind, OutputPolicy, Permission, Persistence,
    PictureLimit, Recording, SecureMediaPath, SoundForm, Source, Term, TrustedOutputs,
    Type1Version, Watermark,
};

/// Sizes around the limits that the rules themselves name.
pub(crate) const SIZES: [u32; 7] = [1, 414_720, 519_999, 520_000, 520_001, 2_073_600, u32::MAX];

/// Every HDCP there is.
pub(crate) const LINKS: [Hdcp; 7] = [
    Hdcp::Type0(HdcpVersion::V1),
    Hdcp::Type0(HdcpVersion::V2_0),
    Hdcp::Type0(HdcpVersion::V2_1),
    Hdcp::Type0(HdcpVersion::V2_2),
    Hdcp::Type0(HdcpVersion::V2_3),
    Hdcp::Type1(Type1Version::V2_2),
    Hdcp::Type1(Type1Version::V2_3),
];

/// A stream of random choices (xorshift64*), the same for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).expect("31 bits") % bound
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    pub(crate) fn size(&mut self) -> Option<NonZeroU32> {
        match self.coin() {
            true => None,
            false => NonZeroU32::new(self.one(&SIZES)),
        }
    }

    fn limit(&mut self) -> PictureLimit {
        match self.below(4) {
            0 => PictureLimit::Unspecified,
            1 | 2 => PictureLimit::Unlimited,
            _ => self
                .size()
                .map_or(PictureLimit::Unlimited, PictureLimit::Pixels),
        }
    }

    fn digital_video(&mut self) -> DigitalVideo {
        let hdcp = self.one(&LINKS);
        self.one(&[
            DigitalVideo::Unspecified,
            DigitalVideo::AllowAny,
            DigitalVideo::HdcpBestEffort(hdcp),
            DigitalVideo::HdcpOrConstrain(hdcp),
            DigitalVideo::HdcpRequired(hdcp),
            DigitalVideo::HdcpRequired(hdcp),
            DigitalVideo::Block,
        ])
    }

    fn analog_video(&mut self) -> AnalogVideo {
        let state = self.one(CgmsA::ALL);
        self.one(&[
            AnalogVideo::Unspecified,
            AnalogVideo::AllowAny,
            AnalogVideo::CgmsBestEffort(state),
            AnalogVideo::CgmsRequired(state),
            AnalogVideo::Block,
        ])
    }

    /// Any policy; the levels are often low, so that the outputs get to decide.
    pub(crate) fn policy(&mut self) -> OutputPolicy {
        OutputPolicy {
            min_security: match self.below(8) {
                0 => MinSecurity::Deny,
                1 => MinSecurity::AtLeast(self.one(Level::ALL)),
                _ => MinSecurity::Unspecified,
            },
            digital_video: self.digital_video(),
            compressed_digital_video: self.one(CompressedVideo::ALL),
            digital_audio_uncompressed: self.one(DigitalAudio::ALL),
            digital_audio_compressed: self.one(DigitalAudio::ALL),
            analog_video: self.analog_video(),
            agc: self.below(4) == 0,
            color_stripe: self.below(4) == 0,
            max_res_analog: self.limit(),
            max_res_uncompressed_digital: self.limit(),
            max_res_compressed_digital: self.limit(),
            max_res_device: self.limit(),
            airplay: self.one(Permission::ALL),
            av_adapter: self.one(Permission::ALL),
            export_dtcp: self.one(Permission::ALL),
            recording: self.one(Recording::ALL),
            watermark: self.one(Watermark::ALL),
            persistence: self.one(Persistence::ALL),
            secure_media_path: match self.below(6) {
                0 => SecureMediaPath::Required,
                1 => SecureMediaPath::Unspecified,
                _ => SecureMediaPath::Optional,
            },
            trusted_outputs: match self.below(6) {
                0 => TrustedOutputs::Required,
                _ => TrustedOutputs::Optional,
            },
        }
    }

    pub(crate) fn output(&mut self) -> Output {
        Output {
            kind: self.one(OutputKind::ALL),
            hdcp: self.coin().then(|| self.one(&LINKS)),
            cgms_a: self.coin().then(|| self.one(CgmsA::ALL)),
            agc: self.coin(),
            color_stripe: self.coin(),
            scms: self.coin(),
            sound: self.one(SoundForm::ALL),
            picture: self.size(),
        }
    }

    pub(crate) fn content(&mut self) -> Content {
        match self.below(4) {
            0 => Content::Sound,
            _ => Content::Picture(self.size()),
        }
    }

    pub(crate) fn device(&mut self) -> Device {
        Device {
            level: self.one(Level::ALL),
            scales: self.coin(),
        }
    }

    pub(crate) fn term(&mut self) -> Term {
        match self.below(16) {
            0 => Term::Over,
            1 => Term::Future,
            2 => Term::Pending,
            _ => Term::Running,
        }
    }

    pub(crate) fn source(&mut self) -> Source {
        self.one(&[Source::Host, Source::Platform])
    }

    pub(crate) fn age(&mut self) -> u64 {
        self.one(&[0, 0, 0, 1, 1999, 2000, 2000, 2001, u64::MAX])
    }

    /// The same output, giving less protection.
    pub(crate) fn weakened(&mut self, output: Output) -> Output {
        let mut weak = output;
        match self.below(8) {
            0 => {
                let lower = self.one(&LINKS);
                weak.hdcp =
                    output
                        .hdcp
                        .filter(|_| self.coin())
                        .map(|hdcp| match hdcp.meets(lower) {
                            true => lower,
                            false => hdcp,
                        });
            }
            1 => weak.cgms_a = output.cgms_a.min(self.coin().then_some(CgmsA::CopyFree)),
            2 => weak.agc = false,
            3 => weak.color_stripe = false,
            4 => weak.scms = false,
            5 => weak.sound = SoundForm::Unknown,
            6 => {
                weak.picture = output
                    .picture
                    .filter(|_| self.coin())
                    .map(|picture| picture.saturating_add(1))
            }
            _ => weak.kind = OutputKind::Unknown,
        }
        weak
    }
}
