//! Who is there, and who hears what.

use glasstack::stack::{Events, PollFd};

use crate::client::{Client, Said};

/// The longest name, in characters.
const NAME: usize = 32;

/// The clients, members and others.
pub(crate) struct Room {
    clients: Vec<Client>,
    places: usize,
}

impl Room {
    pub(crate) fn new(places: usize) -> Room {
        Room {
            clients: Vec::new(),
            places,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.clients.len() >= self.places
    }

    pub(crate) fn clients(&self) -> impl Iterator<Item = &Client> {
        self.clients.iter()
    }

    pub(crate) fn enter(&mut self, client: Client) {
        self.clients.push(client);
    }

    /// Does for each client what `poll` says that it is ready for, then lets those go who are done.
    pub(crate) fn serve(&mut self, rows: &[PollFd]) {
        for (number, row) in rows.iter().enumerate() {
            let events = row.revents;
            let Some(client) = self.clients.get_mut(number) else {
                return;
            };
            // What another client said may have found it out already.
            if client.is_gone {
                continue;
            }
            if events.intersects(Events::POLLERR | Events::POLLHUP | Events::POLLNVAL) {
                client.lose(&client.error());
                continue;
            }
            if events.contains(Events::POLLOUT) {
                client.send();
            }
            if events.contains(Events::POLLIN) {
                self.hear(number);
            }
        }
        self.let_go();
    }

    fn hear(&mut self, number: usize) {
        let said = match self.clients[number].hear() {
            Ok(said) => said,
            Err(error) => return self.clients[number].lose(&error),
        };
        for said in said {
            let client = &mut self.clients[number];
            match (said, client.member.clone()) {
                _ if client.is_leaving => {}
                (Said::Line(line), _) if line.is_empty() => {}
                (Said::Exit, _) => client.is_leaving = true,
                (Said::Name(name), _) => {
                    client.answer(&[b"Hello, ", &name[..], b"!"].concat());
                }
                (Said::Line(line), member) => match (line.split_once(' '), member) {
                    (Some(("/join", name)), None) => self.join(number, name.trim()),
                    (None, Some(name)) if line == "/leave" => {
                        client.member = None;
                        self.tell_all(&format!("* {name} left\n"), None);
                    }
                    (_, Some(name)) if !line.starts_with('/') => {
                        self.tell_all(&format!("{name}: {line}\n"), Some(number));
                    }
                    _ => client.tell("* There is: /join NAME, /leave, exit.\n"),
                },
            }
        }
    }

    fn join(&mut self, number: usize, name: &str) {
        let is_taken = |client: &Client| client.member.as_deref() == Some(name);
        let refusal = match name.chars().count() {
            0 => "* /join NAME\n",
            length if length > NAME => "* That name is too long.\n",
            _ if self.clients.iter().any(is_taken) => "* That name is taken.\n",
            _ => {
                self.clients[number].member = Some(name.to_owned());
                return self.tell_all(&format!("* {name} joined\n"), None);
            }
        };
        self.clients[number].tell(refusal);
    }

    /// Tells all members but one.
    fn tell_all(&mut self, words: &str, but: Option<usize>) {
        for (number, client) in self.clients.iter_mut().enumerate() {
            if client.member.is_some() && Some(number) != but {
                client.tell(words);
            }
        }
    }

    /// Closes the connections of those who are done, and tells the others.
    fn let_go(&mut self) {
        let mut left = Vec::new();
        for client in &mut self.clients {
            // A member that said goodbye hears no more, and may still have to read what it was told.
            if client.is_leaving || client.is_gone {
                left.extend(client.member.take());
            }
        }
        self.clients.retain(|client| !client.is_done());
        for name in left {
            self.tell_all(&format!("* {name} left\n"), None);
        }
    }
}
