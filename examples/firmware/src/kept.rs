//! What a reset does not clear: the last events, the counters, and why it came to an end. They lie in memory that the start-up
//! code leaves alone (`.uninit` of cortex-m-rt), where after power-on there is anything; check sums tell.

use core::{
    cell::UnsafeCell,
    fmt::{self, Write},
    mem::MaybeUninit,
    sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed},
};

use crate::{counter::Counter, record::Record};

/// Events that are kept: 176 octets each, 5.6 KB in all.
const EVENTS: usize = 32;
const WORDS: usize = size_of::<Record>() / size_of::<u32>();

/// Octets of the longest reason for an end.
const REASON: usize = 240;

/// The one such memory.
#[unsafe(link_section = ".uninit.kept")]
static KEPT: Kept = Kept {
    image: AtomicU32::new(0),
    sum: AtomicU32::new(0),
    debugger: AtomicU32::new(0),
    counters: [const { AtomicU32::new(0) }; Counter::ALL.len()],
    reason: Reason {
        sum: AtomicU32::new(0),
        octets: [const { AtomicU8::new(0) }; REASON],
    },
    rows: [const {
        Row {
            sum: AtomicU32::new(0),
            number: AtomicU32::new(0),
            record: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }; EVENTS],
};

/// [`Kept::debugger`]: it is being asked; it did not answer. Anything else: it may be asked.
const ASKED: u32 = 0x6465_6267;
const SILENT: u32 = 0x6e6f_6e65;

/// Of all but the records any bits are a value, be they left over from whatever.
pub struct Kept {
    /// Which program wrote it: another one's events are of other types.
    image: AtomicU32,
    /// The exclusive or of the counters, and of the image.
    sum: AtomicU32,
    debugger: AtomicU32,
    counters: [AtomicU32; Counter::ALL.len()],
    reason: Reason,
    rows: [Row; EVENTS],
}

struct Reason {
    sum: AtomicU32,
    octets: [AtomicU8; REASON],
}

struct Row {
    sum: AtomicU32,
    /// Rows are numbered as they are written; the largest number is the last.
    number: AtomicU32,
    record: UnsafeCell<MaybeUninit<Record>>,
}

// SAFETY: the records are for the main program alone; no handler looks at them (see `Kept::get`).
unsafe impl Sync for Row {}

impl Kept {
    /// For the main program and, but for the records, for the handlers of faults, after which the main program does not go on.
    pub fn get() -> &'static Kept {
        &KEPT
    }

    /// Whether it was written before the reset, by this program.
    pub fn is_whole(&self) -> bool {
        self.image.load(Relaxed) == image() && self.sum.load(Relaxed) == self.sum_of_counters()
    }

    /// Forgets everything: from now on it is about this run.
    pub fn clear(&self) {
        let starts = match self.is_whole() {
            true => self.count_of(Counter::Starts),
            false => 0,
        };
        self.image.store(image(), Relaxed);
        self.counters.iter().for_each(|it| it.store(0, Relaxed));
        self.sum.store(self.sum_of_counters(), Relaxed);
        self.set(Counter::Starts, starts.wrapping_add(1));
        self.reason.sum.store(!self.reason.sum_of_octets(), Relaxed);
        for row in &self.rows {
            row.number.store(0, Relaxed);
            row.sum.store(!row.sum_of_words(), Relaxed);
        }
    }

    pub fn count_of(&self, counter: Counter) -> u32 {
        self.counters[counter as usize].load(Relaxed)
    }

    pub fn count(&self, counter: Counter) {
        self.set(counter, self.count_of(counter).wrapping_add(1));
    }

    pub fn set(&self, counter: Counter, value: u32) {
        let before = self.counters[counter as usize].load(Relaxed);
        self.counters[counter as usize].store(value, Relaxed);
        // Little by little: the sum of all would be too much for each frame.
        self.sum
            .store(self.sum.load(Relaxed) ^ before ^ value, Relaxed);
    }

    fn sum_of_counters(&self) -> u32 {
        let values = self.counters.iter().map(|it| it.load(Relaxed));
        values.fold(image(), |sum, value| sum ^ value)
    }

    /// Writes down why the program ends.
    pub fn end(&self, reason: fmt::Arguments<'_>) {
        let mut writer = Writer {
            octets: self.reason.octets.iter(),
        };
        // What does not fit is left out.
        let _ = writer.write_fmt(reason);
        writer.octets.for_each(|it| it.store(0, Relaxed));
        self.reason.sum.store(self.reason.sum_of_octets(), Relaxed);
    }

    /// Why it ended, if that was written down.
    pub fn reason(&self) -> Option<heapless::String<REASON>> {
        if self.reason.sum.load(Relaxed) != self.reason.sum_of_octets() {
            return None;
        }
        let octets = self.reason.octets.iter().map(|it| it.load(Relaxed));
        let octets: heapless::Vec<u8, REASON> = octets.take_while(|it| *it != 0).collect();
        heapless::String::from_utf8(octets).ok()
    }

    /// Keeps an event, in place of the oldest.
    pub fn record(&self, record: Record) {
        let number = self.count_of(Counter::Events).wrapping_add(1);
        self.set(Counter::Events, number);
        let row = &self.rows[number as usize % EVENTS];
        row.number.store(number, Relaxed);
        // SAFETY: the main program alone is here, and keeps no reference to a record.
        unsafe { (*row.record.get()).write(record) };
        row.sum.store(row.sum_of_words(), Relaxed);
    }

    /// The events that are kept, in order.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let last = self.count_of(Counter::Events);
        let first = last.saturating_sub(EVENTS as u32 - 1).max(1);
        (first..=last).filter_map(|number| {
            let row = &self.rows[number as usize % EVENTS];
            if row.number.load(Relaxed) != number || row.sum.load(Relaxed) != row.sum_of_words() {
                return None;
            }
            // SAFETY: the sum says that this program wrote a record here, before the reset or after it.
            Some(unsafe { (*row.record.get()).assume_init() })
        })
    }

    /// Whether a debugger may be there: one that did not answer is not asked again.
    pub fn may_ask_debugger(&self) -> bool {
        self.debugger.load(Relaxed) != SILENT
    }

    pub fn asks_debugger(&self, asks: bool) {
        self.debugger.store(if asks { ASKED } else { 0 }, Relaxed);
    }

    /// Notes that the debugger did not answer, if that is what the fault came from.
    pub fn is_debugger_silent(&self) -> bool {
        let is_asked = self.debugger.load(Relaxed) == ASKED;
        if is_asked {
            self.debugger.store(SILENT, Relaxed);
        }
        is_asked
    }
}

impl Row {
    fn sum_of_words(&self) -> u32 {
        let words = self.record.get().cast::<u32>();
        // SAFETY: so many words are the record's. What is between its fields has a value, too, in memory, which is what a
        // volatile read looks at.
        let word = |index: usize| unsafe { words.add(index).read_volatile() };
        let seed = image() ^ self.number.load(Relaxed);
        (0..WORDS).fold(seed, |sum, index| mix(sum, word(index)))
    }
}

impl Reason {
    fn sum_of_octets(&self) -> u32 {
        let octets = self.octets.iter().map(|it| it.load(Relaxed).into());
        octets.fold(image(), mix)
    }
}

struct Writer<I> {
    octets: I,
}

impl<'r, I: Iterator<Item = &'r AtomicU8>> Write for Writer<I> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().try_for_each(|octet| {
            self.octets.next().ok_or(fmt::Error)?.store(octet, Relaxed);
            Ok(())
        })
    }
}

/// FNV-1a, a word at a time.
fn mix(sum: u32, word: u32) -> u32 {
    (sum ^ word).wrapping_mul(0x0100_0193)
}

/// Which program this is: the sum of its machine code, added up at the start.
fn image() -> u32 {
    static IMAGE: AtomicU32 = AtomicU32::new(0);
    unsafe extern "C" {
        static __stext: u32;
        static __etext: u32;
    }
    if IMAGE.load(Relaxed) == 0 {
        let (start, end) = (&raw const __stext, &raw const __etext);
        let words = (end.addr() - start.addr()) / size_of::<u32>();
        // SAFETY: the machine code lies between the two, and nobody writes to it.
        let word = |index| unsafe { start.add(index).read() };
        IMAGE.store(
            (0..words).fold(0x811c_9dc5, |sum, index| mix(sum, word(index))) | 1,
            Relaxed,
        );
    }
    IMAGE.load(Relaxed)
}
