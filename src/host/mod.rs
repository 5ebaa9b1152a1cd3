//! The Linux runtime.
