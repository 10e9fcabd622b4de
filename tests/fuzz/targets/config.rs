//! config.toml: no text makes the reader panic; what is wrong is shown at places of the text, harmlessly; and a text that
//! is a configuration is the same one the next time.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use quarterdeck::config::{self, Config};
use quarterdeck::text::Clean;

fuzz_target!(|text: &str| {
    let path = Path::new("/nowhere/config.toml");
    match config::parse(path, text) {
        Ok(config) => {
            let again = config::parse(path, text).expect("it was a configuration just now");
            assert_eq!(format!("{again:?}"), format!("{config:?}"));
            resolve(&config);
        }
        Err(errors) => {
            assert!(errors.count() > 0, "refused without a reason");
            let shown = errors.render(false);
            assert_eq!(
                Clean::block(&shown).as_str(),
                shown,
                "the report can be printed as it is"
            );
            errors.render(true);
        }
    }
});

/// What becomes of it once a commit is known.
fn resolve(config: &Config) {
    assert!(!config.lanes.is_empty());
    for lane in &config.lanes {
        let vars = config.vars(lane, "123456789012", "4f1c0aa4f1c0aa", "4f1c0aa");
        assert!(!lane.repository.render(&vars).is_empty());
        assert!(lane.tags.iter().all(|tag| !tag.render(&vars).is_empty()));
        assert_eq!(lane.build.resolve(&vars), lane.build.resolve(&vars));
    }
}
