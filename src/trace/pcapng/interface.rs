//! The interfaces of a file: each station's, one for each way in which its frames begin.

use super::block;
use crate::trace::{Medium, Station};

/// Where a frame was seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) station: Station,
    pub(super) interface: Option<u8>,
    pub(super) medium: Medium,
}

/// A description in words, and a hardware address.
type Note = (String, Option<[u8; 6]>);

#[derive(Default)]
pub(super) struct Interfaces {
    names: Vec<(Station, String)>,
    notes: Vec<(Station, u8, Note)>,
    /// Those that the file knows, by their number in it.
    places: Vec<Place>,
}

impl Interfaces {
    pub(super) fn name(&mut self, station: Station, name: String) {
        self.names.push((station, name));
    }

    pub(super) fn describe(&mut self, station: Station, interface: u8, note: Note) {
        self.notes.push((station, interface, note));
    }

    /// A place's number in the file, and, where it is new, the block that makes it known. `source` is the hardware address
    /// from which it sends, where that is known.
    pub(super) fn number(
        &mut self,
        place: Place,
        source: Option<[u8; 6]>,
    ) -> (u32, Option<Vec<u8>>) {
        let known = self.places.iter().position(|known| *known == place);
        if let Some(index) = known {
            return (index as u32, None);
        }
        let note = self
            .notes
            .iter()
            .find(|note| (note.0, Some(note.1)) == (place.station, place.interface))
            .map(|note| &note.2);
        let hardware_address = note.and_then(|note| note.1).or(source);
        let description = note.map_or("", |note| note.0.as_str());
        let name = self.name_of(place);
        let block =
            block::interface_description(place.medium, &name, description, hardware_address);
        self.places.push(place);
        (self.places.len() as u32 - 1, Some(block))
    }

    /// What a station is called.
    pub(super) fn station(&self, station: Station) -> String {
        match self.names.iter().find(|(known, _)| *known == station) {
            Some((_, name)) => name.clone(),
            None if station == Station::LINK => "link".to_owned(),
            None => format!("host {}", station.0),
        }
    }

    fn name_of(&self, place: Place) -> String {
        let name = self.station(place.station);
        let name = match place.interface {
            None => name,
            Some(0) => format!("{name}:lo"),
            Some(number) => format!("{name}:{number}"),
        };
        // An IP packet of an Ethernet interface: one whose Ethernet header was never made.
        let has_other = self.places.iter().any(|known| {
            (known.station, known.interface) == (place.station, place.interface)
                && known.medium != place.medium
        });
        match (has_other, place.medium) {
            (false, _) => name,
            (true, Medium::Ethernet) => format!("{name} (Ethernet)"),
            (true, _) => format!("{name} (IP)"),
        }
    }
}
