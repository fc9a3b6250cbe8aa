//! Named limits of the boundary. The trusted side checks each before it copies or allocates.
//!
//! Where the licence protocol limits the same thing, the limit is the same; the core, which sees
//! both, tests that they agree.

/// Version of this interface; [`crate::body::Description`] carries it.
pub const ABI_VERSION: u16 = 2;

/// Largest request body in bytes.
pub const MAX_REQUEST: usize = 128 * 1024;
/// Largest response body in bytes.
pub const MAX_RESPONSE: usize = 64 * 1024;
/// Largest media slot in bytes that any backend may offer; a backend may offer less and says so
/// in its description.
pub const MAX_MEDIA: usize = 64 * 1024 * 1024;
/// Largest media slot in bytes on OP-TEE, for both of its sides.
///
/// A trusted application's heap, code and mapped parameters share 16 MiB of address space on
/// OP-TEE's usual configuration, and a call maps the media twice, as input and as output.
pub const OPTEE_MAX_MEDIA: usize = 4 * 1024 * 1024;
/// Longest stretch of media that one decrypt call may cover, in milliseconds: the reaction time
/// promised for a change of status.
pub const MAX_MEDIA_DURATION_MS: u32 = 2_000;

/// Samples in one decrypt call.
pub const MAX_SAMPLES: usize = 2_048;
/// Subsamples in one decrypt call, over all its samples.
pub const MAX_SUBSAMPLES: usize = 8_192;
/// Bytes of a sample record, see [`crate::SampleTable`].
pub const SAMPLE_RECORD: usize = 24;
/// Bytes of a subsample record, see [`crate::SampleTable`].
pub const SUBSAMPLE_RECORD: usize = 8;

/// Clients connected at once. It bounds what connections cost; one program may hold many of them.
pub const MAX_CLIENTS: usize = 64;
/// Licence sessions open at once, over all clients.
pub const MAX_SESSIONS: usize = 32;
/// Licence sessions open at once of one client, so that one alone cannot take them all.
///
/// A client is a connection, and nothing on this side can tell which program opened one: two
/// connections of one hostile program still take every session. What keeps programs from
/// connecting at all is the platform's business.
pub const MAX_SESSIONS_PER_CLIENT: usize = 16;
/// Licences held by one session.
pub const MAX_LICENSES_PER_SESSION: usize = 8;
/// Erased licences that one session remembers, oldest forgotten first.
pub const MAX_ERASED_PER_SESSION: usize = 16;
/// Keys held by one session, over its licences.
pub const MAX_KEYS_PER_SESSION: usize = 64;
/// Keys held over all sessions, so that they fit a trusted application's heap whatever the servers
/// grant.
pub const MAX_KEYS: usize = 512;
/// Keys held by the sessions of one client, so that one alone cannot take the room for all.
pub const MAX_KEYS_PER_CLIENT: usize = 256;
/// Requests that one session may have unanswered; a further one drops the oldest.
pub const MAX_PENDING_PER_SESSION: usize = 4;
/// Tickets of one session that nobody has redeemed; a further one drops the oldest.
pub const MAX_TICKETS_PER_SESSION: usize = 4;
/// Channels open at once to one session.
pub const MAX_CHANNELS_PER_SESSION: usize = 4;
/// Outputs in one report.
pub const MAX_OUTPUTS: usize = 16;
/// Key ids in one licence request.
pub const MAX_KEY_IDS: usize = 64;
/// Items of init data in one licence request.
pub const MAX_INIT_DATA_ITEMS: usize = 4;
/// Bytes of one item of init data.
pub const MAX_INIT_DATA: usize = 4 * 1024;
/// Bytes of an authorisation token.
pub const MAX_TOKEN: usize = 8 * 1024;
/// Bytes of an enrolment or factory token.
pub const MAX_PROVISION_TOKEN: usize = 4 * 1024;
/// Bytes of a device model name.
pub const MAX_MODEL: usize = 32;
/// Bytes of a version's text.
pub const MAX_VERSION: usize = 64;
/// Bytes of a renewal address.
pub const MAX_URL: usize = 512;
/// Bytes of a denial's parameter.
pub const MAX_TEXT: usize = 64;
/// Bytes of a message from a licence service (service info, licence, denial, time answer).
pub const MAX_SERVICE_MESSAGE: usize = 64 * 1024;
/// Bytes of an encoded capability set.
pub const MAX_CAPABILITIES: usize = 1024;
/// Trust anchors that one device holds identities under.
pub const MAX_ANCHORS: usize = 8;

#[cfg(test)]
mod tests;
