//! What the build scripts of the trusted applications have in common: header, heap, linker script and
//! libraries of an image. Runs on the machine that builds and is no part of any image.

use std::{env, fs, path::PathBuf, time::SystemTime};

use optee_utee_build::{Builder, LinkerType, TaConfig};

/// One instance serves all sessions (GlobalPlatform `gpd.ta.singleInstance`); this flag and the next
/// ones have OP-TEE's bits (`user_ta_header.h` of its development kit).
pub const SINGLE_INSTANCE: u32 = 1 << 2;
/// An instance takes more than one session (`gpd.ta.multiSession`).
pub const MULTI_SESSION: u32 = 1 << 3;
/// The instance stays when its last session has gone (`gpd.ta.instanceKeepAlive`).
pub const INSTANCE_KEEP_ALIVE: u32 = 1 << 4;
/// Protected buffers, memory that the normal world cannot read, may be parameters
/// (`TA_FLAG_SECURE_DATA_PATH`). Without it OP-TEE refuses a call that names one.
pub const SECURE_DATA_PATH: u32 = 1 << 5;

/// What a trusted application's header says of it. Version and description are its package's.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// Its UUID as people write it.
    pub uuid: &'a str,
    /// Bytes of heap that each instance has (`gpd.ta.dataSize`).
    pub heap: u32,
    /// Bytes of stack (`gpd.ta.stackSize`).
    pub stack: u32,
    /// Flags of this module, together.
    pub flags: u32,
}

impl Image<'_> {
    /// Writes `user_ta_header.rs` into cargo's folder and tells cargo how to link.
    ///
    /// # Panics
    /// When something is missing; a build script has nobody to answer to.
    pub fn build(&self) {
        println!("cargo:rerun-if-changed=build.rs");
        println!("cargo:rerun-if-changed=uuid.txt");
        let config = TaConfig::new_default_with_cargo_env(self.uuid)
            .expect("a UUID was given, and cargo sets version and description")
            .ta_data_size(self.heap)
            .ta_stack_size(self.stack)
            .ta_flags(self.flags)
            .trace_level(0);
        // `cpufeatures` names the crate `libc` on this target, whose link directives ask for a C
        // library. There is none in a trusted application: empty archives satisfy the linker, and
        // any real use stays an error.
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
        for library in ["c", "m", "rt", "pthread", "dl", "util", "gcc", "gcc_s"] {
            fs::write(out.join(format!("lib{library}.a")), b"!<arch>\n")
                .expect("cargo's folder takes a file");
        }
        Builder::new(config)
            .linker_type(LinkerType::Ld)
            .build()
            .expect("TA_DEV_KIT_DIR names OP-TEE's development kit");
        // The builder has cargo watch the linker script that it has just written: younger than this
        // run, it would have every build make the whole image anew.
        fs::File::options()
            .write(true)
            .open(out.join("ta.lds"))
            .and_then(|script| script.set_modified(SystemTime::UNIX_EPOCH))
            .expect("the builder has written it");
        // libutee's big numbers, which nothing here uses, want it.
        println!("cargo:rustc-link-lib=static=mbedtls");
    }
}
