//! Reference licence server: a library that `keybearer serve`, `keybearer demo` and tests embed.
//!
//! | room | what it does |
//! |---|---|
//! | `keys` | the operator's key directory: root, issuers, service keys, certificates |
//! | `config` | everything a server is started with, from TOML or from code |
//! | `store` | one embedded file: contents with sealed keys, tokens, devices, answers, log |
//! | `attestation` | what platforms have to say of the code on devices |
//! | `authorisation` | tokens, and asking the operator's service |
//! | `usage` | usage rules by name: profiles, device models, what a request says in each family's terms |
//! | `service` | from the bytes of a request to the bytes of an answer, once each; knows no HTTP |
//! | `http` | two listeners: one for devices, one for the operator with a console for browsers |
//! | `registry` | the operator's interface in process |
//! | `server` | starting and stopping |
//!
//! The server promises that a level is certified from evidence and that no setting raises one;
//! that a licence or a denial looks the same from outside; that a request is worked on and counted
//! once; and that content keys appear in no log, error or listing. It speaks plain HTTP: messages
//! are sealed and signed by themselves, so TLS in front only hides who talks to whom. The admin
//! listener needs it as soon as it leaves loopback.
//!
//! Not yet here: stored licences and rotation.

#![forbid(unsafe_code)]

mod attestation;
mod authorisation;
mod clock;
mod config;
mod crypto;
mod denial;
mod error;
mod http;
mod keys;
mod metrics;
mod names;
mod registry;
mod server;
mod service;
mod store;
mod usage;

pub use attestation::{AttestationSpec, PlatformKey};
pub use authorisation::{Credential, SharedSecret, TokenKey};
pub use clock::{Clock, SystemClock};
pub use config::{
    CallbackSpec, Config, ConfigError, ContentKind, ContentSpec, DEFAULT_TENANT, KeySource,
    KeySpec, Limits, NoExplicitRules, RenewalSpec, Tenant, TimingSpec,
};
pub use error::ServerError;
pub use keys::{Anchor, KeyDirectory, KeyError};
pub use registry::{
    Condition, ContentView, DevicePage, DeviceQuery, EnrolmentToken, FactoryToken, FamilyView,
    GeneratedKey, MintedToken, NoPlace, ProfileView, Registry, RegistryError, Revision, RuleView,
    States,
};
pub use server::{RunningServer, Server, ShutdownHandle};
pub use store::{DevicePlace, DeviceView, KeyRules, LogEntry, LogEvent, Totals};
pub use usage::{
    Definitions, DeviceGroup, DeviceModel, DrmGroup, Flaw, LicenseType, Overrides, ProfileForm,
    RuleValues, Unsound, Warning,
};
