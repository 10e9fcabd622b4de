use super::*;

/// A configuration folder with a context each.
fn folder(contexts: &[(&str, &str)], current: Option<&str>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    if let Some(current) = current {
        let config = format!(r#"{{"auths":{{}},"currentContext":"{current}"}}"#);
        std::fs::write(dir.path().join("config.json"), config).expect("a file is written");
    }
    for (name, meta) in contexts {
        let hash = {
            use sha2::Digest as _;
            sha2::Sha256::digest(name.as_bytes())
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let meta_dir = dir.path().join("contexts/meta").join(hash);
        std::fs::create_dir_all(&meta_dir).expect("a folder is made");
        std::fs::write(meta_dir.join("meta.json"), meta).expect("a file is written");
    }
    dir
}

fn meta(name: &str, host: &str) -> String {
    format!(r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":false}}}}}}"#)
}

fn around(dir: &tempfile::TempDir, vars: &[(&str, &str)]) -> Surroundings {
    let config = dir.path().to_string_lossy().into_owned();
    Surroundings::from_vars(|name| {
        let given = vars.iter().find(|(var, _)| *var == name);
        match given {
            Some((_, value)) => Some((*value).to_owned()),
            None => (name == "DOCKER_CONFIG").then(|| config.clone()),
        }
    })
}

fn told(result: Result<Resolved, Problem>) -> String {
    result.map_or_else(|problem| problem.to_string(), |resolved| resolved.name())
}

#[test]
fn the_order_is_the_docker_command_lines() {
    let dir = folder(
        &[
            ("colima", &meta("colima", "unix:///colima.sock")),
            ("far", &meta("far", "tcp://far:2375")),
        ],
        Some("colima"),
    );
    let all = [("DOCKER_HOST", "unix:///host.sock"), ("DOCKER_CONTEXT", "far")];
    let say = |choice: &Address, vars: &[(&str, &str)]| told(resolve(choice, &around(&dir, vars)));
    let given = Address::Given {
        host: "unix:///given.sock".to_owned(),
        origin: "rehearsal".to_owned(),
    };
    assert_eq!(say(&given, &all), "unix:///given.sock (rehearsal)");
    assert_eq!(say(&Address::Environment, &all), "unix:///host.sock (DOCKER_HOST)");
    assert_eq!(say(&Address::Environment, &all[1..]), "tcp://far:2375 (context far)");
    assert_eq!(
        say(&Address::Environment, &[("DOCKER_HOST", ""), ("DOCKER_CONTEXT", "")]),
        "unix:///colima.sock (context colima)"
    );
    assert_eq!(
        say(&Address::Environment, &[("DOCKER_CONTEXT", "default")]),
        "unix:///var/run/docker.sock (default)"
    );
}

#[test]
fn without_any_configuration_it_is_the_default_socket() {
    let dir = folder(&[], None);
    let found = resolve(&Address::Environment, &around(&dir, &[]));
    assert_eq!(told(found), "unix:///var/run/docker.sock (default)");
}

#[test]
fn an_unknown_context_is_an_error_that_names_the_known_ones() {
    let dir = folder(&[("colima", &meta("colima", "unix:///colima.sock"))], None);
    let told = told(resolve(
        &Address::Environment,
        &around(&dir, &[("DOCKER_CONTEXT", "colmia")]),
    ));
    assert!(
        told.contains("\"colmia\" (from DOCKER_CONTEXT) does not exist") && told.contains("default, colima"),
        "{told}"
    );
}

#[test]
fn a_broken_configuration_does_not_fall_back_to_another_engine() {
    let dir = folder(&[], None);
    std::fs::write(dir.path().join("config.json"), "{").expect("a file is written");
    let told = told(resolve(&Address::Environment, &around(&dir, &[])));
    assert!(told.contains("config.json") && told.contains("DOCKER_HOST"), "{told}");
}

#[test]
fn tls_follows_the_environment_or_the_contexts_own_certificates() {
    let dir = folder(&[("far", &meta("far", "tcp://far"))], None);
    let wire = |vars: &[(&str, &str)]| {
        let found = resolve(&Address::Environment, &around(&dir, vars));
        found.expect("the address is good").wire
    };
    assert_eq!(
        wire(&[("DOCKER_HOST", "tcp://h"), ("DOCKER_TLS_VERIFY", "")]),
        Wire::Http("h:2375".to_owned())
    );
    assert_eq!(
        wire(&[
            ("DOCKER_HOST", "tcp://[::1]"),
            ("DOCKER_TLS_VERIFY", "1"),
            ("DOCKER_CERT_PATH", "/certs")
        ]),
        Wire::Tls {
            authority: "[::1]:2376".to_owned(),
            certs: PathBuf::from("/certs")
        }
    );
    assert_eq!(wire(&[("DOCKER_CONTEXT", "far")]), Wire::Http("far:2375".to_owned()));
    let hash = std::fs::read_dir(dir.path().join("contexts/meta"))
        .expect("the folder is there")
        .next()
        .expect("a context")
        .expect("readable")
        .file_name();
    let certs = dir.path().join("contexts/tls").join(hash).join("docker");
    std::fs::create_dir_all(&certs).expect("a folder is made");
    assert_eq!(
        wire(&[("DOCKER_CONTEXT", "far")]),
        Wire::Tls {
            authority: "far:2376".to_owned(),
            certs
        }
    );
}

#[test]
fn an_address_that_cannot_be_spoken_to_says_what_to_write_instead() {
    let dir = folder(&[], None);
    let say = |host: &str| told(resolve(&Address::Environment, &around(&dir, &[("DOCKER_HOST", host)])));
    for (host, expected) in [
        ("ssh://ops@far", "/var/run/docker.sock ops@far"),
        ("/var/run/docker.sock", "unix:///var/run/docker.sock"),
        ("unix://docker.sock", "three slashes"),
        ("npipe:////./pipe/docker_engine", "npipe"),
        ("tcp://", "names no host"),
        ("htp://h:1", "unknown scheme \"htp\""),
    ] {
        assert!(
            say(host).contains(expected) && say(host).contains("DOCKER_HOST"),
            "{}",
            say(host)
        );
    }
    assert_eq!(say("far:2375"), "far:2375 (DOCKER_HOST)");
}
