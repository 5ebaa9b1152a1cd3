//! The board in QEMU, whose instructions are counted and whose stack is painted: the program knows of neither.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::{UnixDatagram, UnixListener, UnixStream},
    path::PathBuf,
    process::{self, Child, Command},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::program::Program;

/// Octets below the top of the RAM that are painted: more than any stack here is deep.
const PAINTED: usize = 64 * 1024;
const PAINT: u8 = 0xcc;

/// A board that runs a program. It ends with this value.
pub(crate) struct Board {
    qemu: Child,
    /// QEMU's machine protocol (QMP): a line of JSON each way.
    monitor: BufReader<UnixStream>,
    /// Where the stack begins, to grow downwards.
    top: u64,
    folder: PathBuf,
}

impl Board {
    /// Starts the program. The other end of the link carries an Ethernet frame in a datagram.
    pub(crate) fn start(program: &Program) -> (Board, UnixDatagram) {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("glasstack-{}-{number}", process::id()));
        fs::create_dir(&folder).unwrap();
        let file = |name: &str| folder.join(name);
        let text = |name: &str| file(name).into_os_string().into_string().unwrap();
        let link = UnixDatagram::bind(file("peer")).unwrap();
        let listener = UnixListener::bind(file("monitor")).unwrap();
        fs::write(file("paint"), vec![PAINT; PAINTED]).unwrap();
        let top = program.address("_stack_start");
        let (paint, painted) = (text("paint"), top - PAINTED as u64);
        let local = format!("local.type=unix,local.path={}", text("board"));
        let remote = format!("remote.type=unix,remote.path={}", text("peer"));

        let mut qemu = Command::new("qemu-system-arm");
        qemu.args([
            "-machine",
            "mps2-an385",
            "-display",
            "none",
            "-serial",
            "none",
        ]);
        // An instruction takes 64 ns, and none is executed asleep.
        qemu.args(["-icount", "shift=6"]);
        qemu.args([
            "-netdev",
            &format!("dgram,id=net,{local},{remote}"),
            "-net",
            "nic,netdev=net",
        ]);
        qemu.args([
            "-device",
            &format!("loader,file={paint},addr={painted},force-raw=on"),
        ]);
        qemu.args([
            "-monitor",
            "none",
            "-qmp",
            &format!("unix:{}", text("monitor")),
        ]);
        qemu.arg("-kernel").arg(&program.path);
        let qemu = qemu.spawn().unwrap();
        let (monitor, _) = listener.accept().unwrap();
        monitor
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut board = Board {
            qemu,
            monitor: BufReader::new(monitor),
            top,
            folder,
        };
        board.monitor.read_line(&mut String::new()).unwrap(); // its greeting
        board.ask("qmp_capabilities", json!({}));
        board.asleep();
        link.connect(board.folder.join("board")).unwrap();
        (board, link)
    }

    fn ask(&mut self, command: &str, arguments: Value) -> Value {
        let question = json!({ "execute": command, "arguments": arguments });
        writeln!(self.monitor.get_mut(), "{question}").unwrap();
        loop {
            let mut line = String::new();
            self.monitor.read_line(&mut line).unwrap();
            let mut answer: Value = serde_json::from_str(&line).unwrap();
            assert!(answer.get("error").is_none(), "{command}: {line}");
            // What else comes are events.
            if let Some(answer) = answer.get_mut("return") {
                return answer.take();
            }
        }
    }

    /// Instructions that were executed since the start.
    fn instructions(&mut self) -> u64 {
        self.ask("query-replay", json!({}))["icount"]
            .as_u64()
            .unwrap()
    }

    /// Instructions since the start, once no more are executed: what came in is done with.
    pub(crate) fn asleep(&mut self) -> u64 {
        let mut counts = [0; 3];
        loop {
            counts.rotate_left(1);
            counts[2] = self.instructions();
            if counts[2] > 0 && counts == [counts[2]; 3] {
                return counts[2];
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Octets of stack that were in use when it was deepest.
    pub(crate) fn stack_depth(&mut self) -> usize {
        let file = self.folder.join("stack");
        let bottom = self.top - PAINTED as u64;
        self.ask(
            "pmemsave",
            json!({ "val": bottom, "size": PAINTED, "filename": file }),
        );
        let stack = fs::read(file).unwrap();
        assert_eq!(stack.len(), PAINTED);
        let untouched = stack.iter().take_while(|octet| **octet == PAINT).count();
        assert!(untouched > 0, "deeper than what is painted");
        PAINTED - untouched
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
