//! What one output may show.

use super::{Allowance, Content, Demand};
use crate::output::{Output, OutputKind, SoundForm};
use crate::policy::OutputPolicy;
use crate::reason::{Field, Reason, Reasons};
use crate::values::{CompressedVideo, DigitalAudio, Permission, PictureLimit, Recording};
use crate::video::{AnalogVideo, DigitalVideo, Hdcp, HdcpVersion};

/// The HDCP that is meant where a demand names no version.
const ANY_HDCP: Hdcp = Hdcp::Type0(HdcpVersion::V1);

/// One output under one policy. Every test closes it a little further, and says why.
struct Way<'a> {
    policy: &'a OutputPolicy,
    output: &'a Output,
    left: Allowance,
    reasons: &'a mut Reasons,
}

/// How large a picture may leave on an output; for sound anything or nothing.
pub(super) fn allowance(demand: &Demand<'_>, output: &Output, reasons: &mut Reasons) -> Allowance {
    let mut way = Way {
        policy: demand.policy,
        output,
        left: Allowance::Any,
        reasons,
    };
    way.permissions();
    match demand.content {
        Content::Picture(_) => way.picture(),
        Content::Sound => way.sound(),
    }
    way.left
}

impl Way<'_> {
    fn narrow(&mut self, left: Allowance, field: Field, wanted: Option<u32>, found: Option<u32>) {
        if left == Allowance::Any {
            return;
        }
        self.left = self.left.min(left);
        self.reasons.add(Reason {
            field,
            output: Some(self.output.kind),
            wanted,
            found,
        });
    }

    fn close(&mut self, field: Field) {
        self.narrow(Allowance::Nothing, field, None, None);
    }

    /// Whether the way may be taken at all, by picture or sound.
    fn permissions(&mut self) {
        let policy = self.policy;
        let blocked = match self.output.kind {
            OutputKind::Unknown => Some(Field::Kind),
            OutputKind::Wireless if policy.airplay == Permission::Block => Some(Field::Airplay),
            OutputKind::AvAdapter if policy.av_adapter == Permission::Block => {
                Some(Field::AvAdapter)
            }
            OutputKind::CompressedExport if policy.export_dtcp == Permission::Block => {
                Some(Field::ExportDtcp)
            }
            OutputKind::Recording if policy.recording == Recording::Restricted => {
                Some(Field::Recording)
            }
            _ => None,
        };
        if let Some(field) = blocked {
            self.close(field);
        }
    }

    fn picture(&mut self) {
        match self.output.kind {
            // Only the device's own limit concerns it.
            OutputKind::Internal | OutputKind::Unknown => {}
            OutputKind::Hdmi
            | OutputKind::DisplayPort
            | OutputKind::AvAdapter
            | OutputKind::Wireless => self.digital(),
            // A compressed picture leaves the device in digital form too, so both demands hold.
            OutputKind::CompressedExport | OutputKind::Recording => {
                self.digital();
                self.compressed();
            }
            OutputKind::AnalogComposite | OutputKind::AnalogComponent => self.analog(),
        }
    }

    fn digital(&mut self) {
        let reached = self.output.hdcp;
        let demand = self.policy.digital_video;
        let met = |wanted: Hdcp| reached.is_some_and(|hdcp| hdcp.meets(wanted));
        let cap = self.policy.max_res_uncompressed_digital;
        let left = match demand {
            DigitalVideo::Unspecified
            | DigitalVideo::AllowAny
            | DigitalVideo::HdcpBestEffort(_) => Allowance::Any,
            DigitalVideo::HdcpOrConstrain(wanted) if met(wanted) => Allowance::Any,
            DigitalVideo::HdcpOrConstrain(_) => self.up_to(PictureLimit::CONSTRAINED),
            DigitalVideo::HdcpRequired(wanted) if met(wanted) => Allowance::Any,
            // Type 1 wanted, some HDCP reached: a cap is the fallback, and without one there is none.
            DigitalVideo::HdcpRequired(Hdcp::Type1(_)) if reached.is_some() && cap.is_pixels() => {
                self.up_to(cap)
            }
            DigitalVideo::HdcpRequired(_) | DigitalVideo::Block => Allowance::Nothing,
        };
        let found = Some(reached.map_or(0, Hdcp::number));
        let wanted = demand.hdcp().map(Hdcp::number);
        self.narrow(left, Field::DigitalVideo, wanted, found);
        if !matches!(reached, Some(Hdcp::Type1(_))) {
            self.cap(cap, Field::MaxResUncompressedDigital);
        }
    }

    fn compressed(&mut self) {
        let found = self.output.hdcp.map_or(0, Hdcp::number);
        match self.policy.compressed_digital_video {
            CompressedVideo::Unspecified | CompressedVideo::AllowAny => {}
            CompressedVideo::HdcpRequired => self.hdcp(Field::CompressedDigitalVideo),
            CompressedVideo::Block => {
                let field = Field::CompressedDigitalVideo;
                self.narrow(Allowance::Nothing, field, None, Some(found));
            }
        }
        let cap = self.policy.max_res_compressed_digital;
        self.cap(cap, Field::MaxResCompressedDigital);
    }

    fn analog(&mut self) {
        let asserted = self.output.cgms_a;
        let found = Some(asserted.map_or(0, |state| u32::from(state.code())));
        match self.policy.analog_video {
            AnalogVideo::Unspecified | AnalogVideo::AllowAny | AnalogVideo::CgmsBestEffort(_) => {}
            AnalogVideo::CgmsRequired(wanted) => {
                // A state that restricts copying further does as well.
                if asserted.is_none_or(|state| state < wanted) {
                    let wanted = Some(u32::from(wanted.code()));
                    self.narrow(Allowance::Nothing, Field::AnalogVideo, wanted, found);
                }
            }
            AnalogVideo::Block => self.narrow(Allowance::Nothing, Field::AnalogVideo, None, found),
        }
        if self.policy.agc && !self.output.agc {
            self.narrow(Allowance::Nothing, Field::Agc, Some(1), Some(0));
        }
        if self.policy.color_stripe && !self.output.color_stripe {
            self.narrow(Allowance::Nothing, Field::ColorStripe, Some(1), Some(0));
        }
        self.cap(self.policy.max_res_analog, Field::MaxResAnalog);
    }

    fn sound(&mut self) {
        let policy = self.policy;
        match self.output.kind {
            OutputKind::Internal
            | OutputKind::Unknown
            // No rule speaks of analogue sound.
            | OutputKind::AnalogComposite
            | OutputKind::AnalogComponent => return,
            OutputKind::Hdmi
            | OutputKind::DisplayPort
            | OutputKind::AvAdapter
            | OutputKind::Wireless
            | OutputKind::CompressedExport
            | OutputKind::Recording => {}
        }
        let form = self.output.sound;
        if matches!(form, SoundForm::Unknown | SoundForm::Uncompressed) {
            let demand = policy.audio(policy.digital_audio_uncompressed);
            self.audio(demand, Field::DigitalAudioUncompressed);
        }
        if matches!(form, SoundForm::Unknown | SoundForm::Compressed) {
            let demand = policy.audio(policy.digital_audio_compressed);
            self.audio(demand, Field::DigitalAudioCompressed);
        }
    }

    fn audio(&mut self, demand: DigitalAudio, field: Field) {
        match demand {
            DigitalAudio::Unspecified | DigitalAudio::AllowAny => {}
            DigitalAudio::HdcpOrScms if self.output.scms => {}
            DigitalAudio::HdcpOrScms | DigitalAudio::HdcpRequired => self.hdcp(field),
            DigitalAudio::Block => {
                let found = self.output.hdcp.map_or(0, Hdcp::number);
                self.narrow(Allowance::Nothing, field, None, Some(found));
            }
        }
    }

    /// Closes the way unless the link reached the HDCP that the policy names, or any if it names
    /// none.
    fn hdcp(&mut self, field: Field) {
        let wanted = self.policy.digital_video.hdcp().unwrap_or(ANY_HDCP);
        if self.output.hdcp.is_none_or(|hdcp| !hdcp.meets(wanted)) {
            let found = self.output.hdcp.map_or(0, Hdcp::number);
            self.narrow(
                Allowance::Nothing,
                field,
                Some(wanted.number()),
                Some(found),
            );
        }
    }

    /// What a limit leaves: anything where the output itself shows no larger picture.
    fn up_to(&self, limit: PictureLimit) -> Allowance {
        match (limit, self.output.picture) {
            (PictureLimit::Pixels(limit), Some(picture)) if picture <= limit => Allowance::Any,
            (PictureLimit::Pixels(limit), _) => Allowance::UpTo(limit),
            (PictureLimit::Unspecified | PictureLimit::Unlimited, _) => Allowance::Any,
        }
    }

    fn cap(&mut self, limit: PictureLimit, field: Field) {
        if let (PictureLimit::Pixels(pixels), left) = (limit, self.up_to(limit)) {
            let found = self.output.picture.map(|picture| picture.get());
            self.narrow(left, field, Some(pixels.get()), found);
        }
    }
}
