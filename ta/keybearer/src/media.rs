//! The media of a call as the core takes it.

use keybearer_core::{Media, MediaError};
use keybearer_ta_entry::serve::SharedMedia;

/// The caller's media: protected bytes to read, room for clear ones. Both may be the same memory, so
/// a piece is read before the like piece is written. Whose memory it is, the TEE is asked when the core
/// asks, and what follows from it is the core's to say.
pub struct CallMedia<'m, 's, 'a>(pub &'m mut SharedMedia<'s, 'a>);

impl Media for CallMedia<'_, '_, '_> {
    fn input_len(&self) -> usize {
        self.0.input().len()
    }

    fn output_len(&self) -> usize {
        self.0.output_len()
    }

    fn read(&mut self, offset: usize, into: &mut [u8]) -> Result<(), MediaError> {
        self.0.input().read(offset, into).map_err(|_| MediaError)
    }

    fn write(&mut self, offset: usize, from: &[u8]) -> Result<(), MediaError> {
        self.0.write(offset, from).map_err(|_| MediaError)
    }

    fn input_is_protected(&self) -> bool {
        self.0.input_is_protected()
    }

    fn output_is_protected(&self) -> bool {
        self.0.output_is_protected()
    }

    fn response_is_protected(&self) -> bool {
        self.0.response_is_protected()
    }
}
