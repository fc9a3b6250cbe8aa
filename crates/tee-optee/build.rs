//! Links libteec where there is one.
//!
//! `OPTEE_CLIENT_EXPORT` names the folder whose `usr/lib` holds it (the convention of OP-TEE's own
//! build). Without it nothing is linked: this crate compiles and tests on any machine, and a
//! program that really calls it fails to link by the names of the missing functions.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=OPTEE_CLIENT_EXPORT");
    if let Ok(export) = std::env::var("OPTEE_CLIENT_EXPORT") {
        println!(
            "cargo:rustc-link-search={}",
            Path::new(&export).join("usr/lib").display()
        );
        println!("cargo:rustc-link-lib=dylib=teec");
    }
}
