//! Name templates: no text makes the parser panic, its errors lie within the text, and a template's text form is the
//! same template.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quarterdeck::config::{Template, Vars};

const VARS: Vars<'static> = Vars {
    app: "sento",
    environment: "qa",
    region: "us-east-1",
    account: "123456789012",
    sha: "4f1c0aa",
    short_sha: "4f1",
    branch: "main",
};

fuzz_target!(|text: &str| {
    match Template::parse(text) {
        Ok(template) => {
            let again = Template::parse(&template.to_string()).expect("a template's text form is a template");
            assert_eq!(again, template);
            assert_eq!(again.render(&VARS), template.render(&VARS));
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a reason");
            for error in errors {
                assert!(text.get(error.at.clone()).is_some_and(|at| !at.is_empty()), "{error:?}");
            }
        }
    }
    let literal = Template::literal(text);
    assert_eq!(literal.render(&VARS), text);
    assert_eq!(Template::parse(&literal.to_string()), Ok(literal));
});
