//! The system calls that are left to a worker whose core is made.
//!
//! An allow list: whatever is not on it kills the process, without a signal handler and without a core
//! file. Nothing on it opens, connects, executes, clones, traces, signals, or maps code.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

/// Why the sandbox could not be closed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// There is no filter for this processor.
    #[error("there is no system call filter for {arch}: {0}", arch = std::env::consts::ARCH)]
    Filter(#[from] BackendError),
    /// The kernel did not take it.
    #[error("the kernel does not take the filter: {0}")]
    Kernel(#[from] seccompiler::Error),
}

/// System calls that may be made with any arguments.
const ALLOWED: &[libc::c_long] = &[
    // messages, and the descriptors that come with them
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_close,
    libc::SYS_fstat,
    // the vault's file, which is open
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_fsync,
    // memory; see below for mapping
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    // what kind of socket it was given
    libc::SYS_getsockopt,
    // a turn at the processor that is left to the host
    libc::SYS_sched_yield,
    // time and random numbers
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    // a call that a stop interrupted goes on with this
    libc::SYS_restart_syscall,
    // the end
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Closes the sandbox for all threads of this process, for ever.
///
/// # Errors
/// [`SandboxError`]; then nothing has changed.
pub fn close() -> Result<(), SandboxError> {
    let program = filter()?;
    seccompiler::apply_filter_all_threads(&program)?;
    Ok(())
}

fn filter() -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    // Memory that can be written or read, never executed.
    rules.insert(
        libc::SYS_mmap,
        vec![when(
            2,
            SeccompCmpOp::MaskedEq(libc::PROT_EXEC.cast_unsigned().into()),
            0,
        )?],
    );
    // What seals shared memory has; and whether a descriptor is open, which the standard library asks
    // in builds with assertions.
    let questions = [libc::F_GET_SEALS, libc::F_GETFD];
    let questions = questions
        .into_iter()
        .map(|question| when(1, SeccompCmpOp::Eq, question.cast_unsigned().into()));
    rules.insert(libc::SYS_fcntl, questions.collect::<Result<_, _>>()?);
    SeccompFilter::new(
        rules,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        TargetArch::try_from(std::env::consts::ARCH)?,
    )?
    .try_into()
}

/// A rule on one argument, of which the kernel looks at 32 bits.
fn when(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
    SeccompRule::new(vec![condition])
}
