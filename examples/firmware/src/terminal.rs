//! The serial line: what is said goes out at once, what is typed becomes lines.

use core::{
    cell::{Cell, RefCell},
    fmt::{self, Write},
    future::poll_fn,
    task::Poll,
};

use board::Uart;

/// Octets of the longest line that is read.
pub const LINE: usize = 160;

const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;
const BELL: &str = "\x07";

/// A UART that the tasks of this thread share.
///
/// What is written waits for the UART: at 115,200 baud a line of 80 columns takes 7 ms, in which nothing else happens.
pub struct Terminal {
    uart: RefCell<Uart>,
    line: RefCell<heapless::String<LINE>>,
    is_whole: Cell<bool>,
}

impl Terminal {
    pub fn new(mut uart: Uart) -> Self {
        uart.interrupt_on_receive();
        Terminal {
            uart: RefCell::new(uart),
            line: RefCell::new(heapless::String::new()),
            is_whole: Cell::new(false),
        }
    }

    /// A line.
    pub fn say(&self, line: fmt::Arguments<'_>) {
        let mut out = self;
        // The UART takes everything.
        let _ = writeln!(out, "{line}");
    }

    /// Takes in what is typed, for ever: it is echoed, and stands in [`line`](Terminal::line) once Enter is hit. Whoever
    /// polls it does so after each interrupt, as `block_on` does.
    pub async fn read(&self) {
        poll_fn(|_| {
            // What is typed while a line is still being answered is not kept.
            while let Some(octet) = self.read_octet() {
                let mut line = self.line.borrow_mut();
                let echo = match octet {
                    _ if self.is_whole.get() => BELL,
                    b'\r' | b'\n' => {
                        self.is_whole.set(true);
                        "\n"
                    }
                    BACKSPACE | DELETE if line.pop().is_some() => "\x08 \x08",
                    b' '..=b'~' if line.push(octet.into()).is_ok() => {
                        line.get(line.len() - 1..).unwrap_or_default()
                    }
                    _ => BELL,
                };
                let mut out = self;
                let _ = out.write_str(echo);
            }
            Poll::<()>::Pending
        })
        .await
    }

    fn read_octet(&self) -> Option<u8> {
        self.uart.borrow_mut().read()
    }

    /// The next line.
    pub async fn line(&self) -> heapless::String<LINE> {
        poll_fn(|_| match self.is_whole.replace(false) {
            true => Poll::Ready(self.line.take()),
            false => Poll::Pending,
        })
        .await
    }
}

/// A terminal wants a carriage return before each line feed.
impl Write for &Terminal {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut uart = self.uart.borrow_mut();
        let mut lines = text.split('\n');
        uart.write_str(lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| {
            uart.write_str("\r\n")?;
            uart.write_str(line)
        })
    }
}
