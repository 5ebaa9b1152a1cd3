//! Screens that are kept in `tests/screens`.

use std::{env, fs, path::Path};

/// Compares a drawing with the one that is kept in a file. `UPDATE_SCREENS=1` keeps it.
pub(crate) fn is_as_kept(file: &str, drawn: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/screens")
        .join(file);
    if env::var_os("UPDATE_SCREENS").is_some() {
        fs::write(&path, drawn).expect("tests/screens can be written to");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        drawn == kept,
        "{} differs; now it is\n{drawn}",
        path.display()
    );
}
