//! What a microcontroller pays for the sockets: one echo server on raw smoltcp, on embassy-net and on this crate, built for a
//! Cortex-M3 and run in QEMU. With `-- --nocapture --test-threads=1` it prints the tables.

#[path = "../need/mod.rs"]
mod need;

mod bytes;
mod firmware;
mod load;
mod panics;
mod peer;
mod program;
mod qemu;
mod source;

#[test]
fn try_it() {
    if !firmware::can_be_built() {
        return;
    }
    for library in firmware::LIBRARIES {
        let four = firmware::echo(library, "");
        let t = std::time::Instant::now();
        println!("{library} {:?}", load::instructions(&four));
        println!("{:?}", t.elapsed());
        println!("{library} {:?}", load::stack_depth(&four));
        println!("{:?}", t.elapsed());
    }
}
