//! A decoder's session among the threads of a test.

use keybearer_ta_decoder::Session;
use keybearer_ta_decoder::output::PlatformOutput;
use keybearer_ta_decoder::sys::KeyTa;

/// A session that goes from thread to thread with its host's calls, as an instance goes from one core
/// of a processor to another.
pub(crate) struct Moved(pub(crate) Session<KeyTa, PlatformOutput>);

// SAFETY: what keeps the session on one thread are the decoder's reference counts and cells, which are
// not atomic. All owners of each are inside the session and none is handed out, so they move together;
// and whoever has the value has it alone, because it is not `Sync`.
unsafe impl Send for Moved {}
