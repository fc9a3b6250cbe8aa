//! Header, heap, linker script and libraries of the trusted application. The library and its tests
//! need none of this.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=uuid.txt");
    #[cfg(feature = "ta")]
    ta::build();
}

#[cfg(feature = "ta")]
mod ta {
    use optee_utee_build::{Builder, LinkerType, TaConfig};
    use std::{env, fs, path::PathBuf};

    // GlobalPlatform's and OP-TEE's flag bits (user_ta_header.h of the development kit).
    const SINGLE_INSTANCE: u32 = 1 << 2;
    const MULTI_SESSION: u32 = 1 << 3;
    const INSTANCE_KEEP_ALIVE: u32 = 1 << 4;

    /// Licences, keys, revocation lists, and one call at a time. A test of the core reads this line
    /// and shows that the quotas fit four fifths of it.
    const HEAP: u32 = 1536 * 1024;
    /// P-256 and the decoders' recursion; 60 KiB of it were usable when measured.
    const STACK: u32 = 64 * 1024;

    pub(super) fn build() {
        let config = TaConfig::new_default_with_cargo_env(include_str!("uuid.txt").trim())
            .expect("uuid.txt holds a UUID and cargo sets version and description")
            .ta_data_size(HEAP)
            .ta_stack_size(STACK)
            .ta_flags(SINGLE_INSTANCE | MULTI_SESSION | INSTANCE_KEEP_ALIVE)
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
        // libutee's big numbers, which nothing here uses, want it.
        println!("cargo:rustc-link-lib=static=mbedtls");
    }
}
