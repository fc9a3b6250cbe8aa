//! One function a backend: start it, or say why it cannot be started.

use std::sync::Arc;

use keybearer_tee::Tee;

use crate::{BackendError, BackendOptions};

/// Starts a backend. Whether it answers is seen afterwards, alike for all.
pub(crate) type Start = fn(&BackendOptions) -> Result<Arc<dyn Tee>, BackendError>;

#[cfg(feature = "optee")]
pub(crate) fn optee(_: &BackendOptions) -> Result<Arc<dyn Tee>, BackendError> {
    Ok(Arc::new(keybearer_tee_optee::OpteeTee))
}

#[cfg(not(feature = "optee"))]
pub(crate) fn optee(_: &BackendOptions) -> Result<Arc<dyn Tee>, BackendError> {
    Err(BackendError::NotBuiltIn {
        backend: "optee",
        feature: "optee",
    })
}

#[cfg(feature = "worker")]
pub(crate) fn worker(options: &BackendOptions) -> Result<Arc<dyn Tee>, BackendError> {
    use crate::WorkerProgram::{At, Installed, This};
    use keybearer_tee_soft::{WorkerConfig, WorkerProgram, WorkerTee};
    let program = match &options.worker {
        Installed => WorkerProgram::find(),
        At(path) => Ok(WorkerProgram::at(path)),
        This { argument } => Ok(WorkerProgram::this(argument)),
    };
    let started = program.and_then(|program| {
        let mut config = WorkerConfig::new(program, &options.state_dir);
        config.internal_panel = options.internal_panel;
        WorkerTee::start(config)
    });
    match started {
        Ok(tee) => Ok(Arc::new(tee)),
        Err(source) => Err(BackendError::Unusable {
            backend: "worker",
            source: Box::new(source),
        }),
    }
}

#[cfg(not(feature = "worker"))]
pub(crate) fn worker(_: &BackendOptions) -> Result<Arc<dyn Tee>, BackendError> {
    Err(BackendError::NotBuiltIn {
        backend: "worker",
        feature: "worker",
    })
}

#[cfg(feature = "in-process")]
pub(crate) fn in_process(options: &BackendOptions) -> Result<Arc<dyn Tee>, BackendError> {
    use keybearer_tee_soft::{SoftConfig, SoftTee};
    let config = SoftConfig {
        state_dir: options.state_dir.clone(),
        internal_panel: options.internal_panel,
    };
    match SoftTee::open(config) {
        Ok(tee) => Ok(Arc::new(tee)),
        Err(source) => Err(BackendError::Unusable {
            backend: "in-process",
            source: Box::new(source),
        }),
    }
}

#[cfg(not(feature = "in-process"))]
pub(crate) fn in_process(_: &BackendOptions) -> Result<Arc<dyn Tee>, BackendError> {
    Err(BackendError::NotBuiltIn {
        backend: "in-process",
        feature: "in-process",
    })
}
