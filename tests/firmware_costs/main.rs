//! What a microcontroller pays for the sockets: one echo server on raw smoltcp, on embassy-net and on this crate, built for a
//! Cortex-M3 and run in QEMU. With `-- --nocapture --test-threads=1` it prints the tables.

#[path = "../need/mod.rs"]
mod need;

mod bytes;
mod firmware;
mod panics;
mod program;
mod source;

#[test]
fn try_it() {
    if !firmware::can_be_built() {
        return;
    }
    for library in firmware::LIBRARIES {
        let four = firmware::echo(library, "");
        println!("{library} {:?}", four.size());
        let five = firmware::echo(library, "fifth-connection");
        println!("{library} {:?}", five.size());
        let t = std::time::Instant::now();
        let mut v: Vec<_> = bytes::by_file(&four).into_iter().collect();
        v.sort_by_key(|x| std::cmp::Reverse(x.1));
        println!("{:?} {:#?}", t.elapsed(), &v[..20.min(v.len())]);
        for p in panics::places(&four) {
            println!("{}:{:?} {}", p.file, p.line, p.function);
        }
    }
}
