//! The commands of the wire table, one file each. `run` does what the table says or returns the
//! status that refuses it. A refusal changes nothing but what time it is known to be, and what a
//! decoder has said of earlier units; so a command
//! encodes its answer before it does what the answer tells, or answers in fixed bytes.

pub(crate) mod begin_provisioning;
pub(crate) mod build_request;
pub(crate) mod build_time_request;
pub(crate) mod close_channel;
pub(crate) mod close_session;
pub(crate) mod decrypt;
pub(crate) mod decrypt_unit;
pub(crate) mod describe;
pub(crate) mod device_key;
pub(crate) mod erase_identity;
pub(crate) mod finish_provisioning;
pub(crate) mod issue_ticket;
pub(crate) mod load_answer;
pub(crate) mod load_revocation_list;
pub(crate) mod load_time_answer;
pub(crate) mod open_session;
pub(crate) mod redeem_ticket;
pub(crate) mod remove_license;
pub(crate) mod report_outputs;
pub(crate) mod statuses;
pub(crate) mod wipe_buffer;

use crate::response::Response;
use keybearer_wire::Status;

/// What every command returns.
pub(crate) type Outcome = Result<Response, Status>;
