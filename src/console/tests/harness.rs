//! A terminal of any size that is typed on and read.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::fixture::{Story, at};
use crate::console::draw::draw;
use crate::console::update::{self, Effect};
use crate::console::view::{Look, View};
use crate::engine::{Action, Update};

pub struct Harness {
    pub story: Story,
    pub view: View,
    terminal: Terminal<TestBackend>,
}

impl Harness {
    pub fn new(story: Story, width: u16, height: u16) -> Self {
        Self::looking(story, width, height, Look::default())
    }

    pub fn looking(story: Story, width: u16, height: u16, look: Look) -> Self {
        let terminal = Terminal::new(TestBackend::new(width, height)).expect("a test backend cannot fail");
        let mut harness = Self {
            story,
            view: View::new(look),
            terminal,
        };
        harness.draw();
        harness
    }

    /// Draws as the loop does.
    pub fn draw(&mut self) {
        let Self { story, view, terminal } = self;
        view.follow(&story.state);
        let mut painted = None;
        terminal
            .draw(|frame| painted = Some(draw(frame, &story.state, &story.live, view, at(story.now))))
            .expect("a test backend cannot fail");
        view.absorb(painted.expect("the frame was drawn"));
    }

    pub fn resize(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().resize(width, height);
        self.terminal
            .resize(ratatui::layout::Rect::new(0, 0, width, height))
            .expect("a test backend cannot fail");
    }

    pub fn event(&mut self, event: &Event) -> Vec<Effect> {
        let effects = update::event(&mut self.view, &self.story.state, &self.story.live, event);
        self.draw();
        effects
    }

    pub fn told(&mut self, update: Update) -> Vec<Effect> {
        if let Update::Fact(fact) = &update {
            self.story.state.apply(fact);
        }
        let effects = update::told(&mut self.view, &self.story.state, update);
        self.draw();
        effects
    }

    /// Presses keys: `j`, `R`, `enter`, `esc`, `tab`, `ctrl-c`, `space`, ….
    pub fn press(&mut self, keys: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for key in keys.split_whitespace() {
            effects.extend(self.event(&Event::Key(key_of(key))));
        }
        effects
    }

    /// Types text.
    pub fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.event(&Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        }
    }

    pub fn buffer(&self) -> &Buffer {
        self.terminal.backend().buffer()
    }

    /// The screen's text, line by line.
    pub fn text(&self) -> String {
        let buffer = self.buffer();
        let line = |y| {
            let cells = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol());
            cells.collect::<String>().trim_end().to_owned()
        };
        (0..buffer.area.height).map(line).collect::<Vec<_>>().join("\n")
    }
}

/// The actions among effects.
pub fn actions(effects: Vec<Effect>) -> Vec<Action> {
    effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Act(action) => Some(action),
            Effect::Copy(_)
            | Effect::Save { .. }
            | Effect::Mouse(_)
            | Effect::Suspend
            | Effect::Repaint
            | Effect::Bell
            | Effect::Close(_) => None,
        })
        .collect()
}

fn key_of(name: &str) -> KeyEvent {
    let (modifiers, name) = match name.strip_prefix("ctrl-") {
        Some(rest) => (KeyModifiers::CONTROL, rest),
        None => (KeyModifiers::NONE, name),
    };
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "shift-tab" => KeyCode::BackTab,
        "space" => KeyCode::Char(' '),
        "up" | "↑" => KeyCode::Up,
        "down" | "↓" => KeyCode::Down,
        "left" | "←" => KeyCode::Left,
        "right" | "→" => KeyCode::Right,
        "pgup" => KeyCode::PageUp,
        "pgdn" => KeyCode::PageDown,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "backspace" => KeyCode::Backspace,
        "\\" => KeyCode::Char('4'),
        one => KeyCode::Char(one.chars().next().expect("a key has a name")),
    };
    KeyEvent::new(code, modifiers)
}
