//! Where pictures leave this room: the protected output of the platform.

use thiserror::Error;

use crate::scale::ChromaSiting;

/// The platform's protected output, filled in by a firmware vendor.
///
/// What it is given may be shown and must never become readable by the host: a framebuffer behind the
/// memory firewall, an overlay of the secure display, a protected buffer. It is called in presentation
/// order, within the call that decoded the picture or a later one.
pub trait Sink {
    /// Takes one picture.
    ///
    /// # Errors
    ///
    /// [`SinkFailed`] if the output is gone. The picture is not offered again.
    fn present(&mut self, picture: &Picture<'_>) -> Result<(), SinkFailed>;
}

/// The output took no picture; a failure of the platform and not of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the protected output failed")]
pub struct SinkFailed;

/// A picture for display: 4:2:0, 8 bits a sample, cropped as the stream says.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    /// The presentation time that came with its unit.
    pub time: u64,
    /// Luma.
    pub luma: Plane<'a>,
    /// Blue-difference chroma, half as wide and half as high.
    pub cb: Plane<'a>,
    /// Red-difference chroma, half as wide and half as high.
    pub cr: Plane<'a>,
    /// Where the chroma samples lie between those of luma.
    pub siting: ChromaSiting,
}

/// One plane of samples.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// Rows from top to bottom without padding: `width * height` samples.
    pub samples: &'a [u8],
    /// Samples a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}
