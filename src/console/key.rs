//! A key: what it is called on the screen, and when two presses are the same one.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with its modifiers. Shift is part of a character and never named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(pub KeyCode, pub KeyModifiers);

/// A character's key.
pub(super) const fn ch(c: char) -> Key {
    Key(KeyCode::Char(c), KeyModifiers::NONE)
}

/// A character's key with ctrl.
pub(super) const fn ctrl(c: char) -> Key {
    Key(KeyCode::Char(c), KeyModifiers::CONTROL)
}

/// A key that is no character's.
pub(super) const fn code(code: KeyCode) -> Key {
    Key(code, KeyModifiers::NONE)
}

impl Key {
    /// The key of a press. Shift is dropped: some terminals report it with a capital and some do not.
    pub fn of(event: &KeyEvent) -> Self {
        Self(event.code, event.modifiers - KeyModifiers::SHIFT)
    }

    /// The key as it is written on the screen: without arrows it has words for them, since `v` and `^` are other keys.
    pub fn shown(self, ascii: bool) -> String {
        let word = match self.0 {
            KeyCode::Up => "up",
            KeyCode::Down => "down",
            KeyCode::Left => "left",
            KeyCode::Right => "right",
            _ => return self.name(),
        };
        if ascii { word.to_owned() } else { self.name() }
    }

    /// The key's name.
    pub fn name(self) -> String {
        let Self(code, modifiers) = self;
        let name = match code {
            KeyCode::Char(' ') => "space".to_owned(),
            // What terminals send for ctrl-\ is named ctrl-4 by crossterm.
            KeyCode::Char('4') if modifiers.contains(KeyModifiers::CONTROL) => "\\".to_owned(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::Enter => "enter".to_owned(),
            KeyCode::Esc => "esc".to_owned(),
            KeyCode::Tab => "tab".to_owned(),
            KeyCode::BackTab => "shift-tab".to_owned(),
            KeyCode::Up => "↑".to_owned(),
            KeyCode::Down => "↓".to_owned(),
            KeyCode::Left => "←".to_owned(),
            KeyCode::Right => "→".to_owned(),
            KeyCode::PageUp => "pgup".to_owned(),
            KeyCode::PageDown => "pgdn".to_owned(),
            KeyCode::Home => "home".to_owned(),
            KeyCode::End => "end".to_owned(),
            other => format!("{other:?}"),
        };
        if modifiers.contains(KeyModifiers::CONTROL) {
            format!("ctrl-{name}")
        } else {
            name
        }
    }
}
