//! Shows the linker where a board has its memory: the other board's, too.

use std::{env, fs, path::PathBuf};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets it"));
    fs::copy("memory.x", out.join("memory.x")).expect("each board has one");
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rerun-if-changed=memory.x");
}
