//! What the document's script prints on a host, believably.

use super::command::{Command, ImageName, Invocation};
use super::fate::{Fate, Status};
use super::node::Node;
use crate::rehearsal::sts::ACCOUNT;

/// What a script left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Printed {
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// Its exit code; `None` when it never started.
    pub code: Option<i32>,
}

/// The agent's code of a script that it killed (amazon-ssm-agent, `appconfig.CommandStoppedPreemptivelyExitCode`).
const KILLED: i32 = 137;

/// What an invocation printed, as far as it came.
pub(super) fn print(node: &Node, command: &Command, invocation: &Invocation) -> Printed {
    if invocation.started_at.is_none() || !invocation.status.is_end() {
        return Printed::default();
    }
    let Some(image) = &command.launch().image else {
        return plain(node, invocation);
    };
    let registry = format!("{ACCOUNT}.dkr.ecr.{}.amazonaws.com", image.region);
    let reference = format!("{registry}/{}:{}", image.repository, image.tag);
    let mut printed = Printed {
        stdout: "Login Succeeded\n".to_owned(),
        stderr: String::new(),
        code: Some(code(invocation)),
    };
    if invocation.status == Status::Cancelled {
        pulling(&mut printed.stdout, image, false);
        return printed;
    }
    match invocation.fate {
        Fate::Success | Fate::Silent => succeed(&mut printed.stdout, image, &reference, invocation),
        Fate::Reboot => {
            pulling(&mut printed.stdout, image, false);
            printed.stdout += "Rebooting to finish the update of the container runtime\nLogin Succeeded\n";
            succeed(&mut printed.stdout, image, &reference, invocation);
        }
        Fate::DiskFull => {
            pulling(&mut printed.stdout, image, false);
            printed.stderr += "failed to register layer: write /usr/lib/python3/dist-packages/numpy.libs/libopenblas64.so: no space left on device\n";
        }
        Fate::PullDenied => {
            printed.stderr += &format!(
                "Error response from daemon: pull access denied for {registry}/{}, repository does not exist or may require \
                 'docker login': denied: User: arn:aws:sts::{ACCOUNT}:assumed-role/fleet-node/{} is not authorized to perform: \
                 ecr:BatchGetImage on resource: arn:aws:ecr:{}:{ACCOUNT}:repository/{} because no identity-based policy allows \
                 the ecr:BatchGetImage action\n",
                image.repository, node.id, image.region, image.repository
            );
        }
        Fate::ImageMissing => {
            printed.stderr += &format!(
                "Error response from daemon: manifest for {reference} not found: manifest unknown: Requested image not found\n"
            );
        }
        Fate::Unhealthy => {
            pulled(&mut printed.stdout, image, &reference, invocation);
            let unit = unit(image);
            printed.stderr += &format!("{unit} did not become healthy within 30 s\n");
            for second in 0..12 {
                printed.stderr += &format!(
                    "Nov 25 07:41:{second:02} {} {unit}[4127]: connect to queue.internal:5672 refused, trying again in 1 s\n",
                    node.name
                );
            }
        }
        Fate::Noisy => {
            pulled(&mut printed.stdout, image, &reference, invocation);
            for line in 0..900 {
                printed.stdout += &format!("migration {line:04}: applied to {}\n", node.name);
                printed.stderr += &format!("migration {line:04}: took longer than a second\n");
            }
        }
        Fate::Hang => {
            pulled(&mut printed.stdout, image, &reference, invocation);
            printed.stdout += &format!("Restarting {}\n", unit(image));
        }
        Fate::Offline | Fate::Unreached | Fate::InvalidPlatform | Fate::AccessDenied => return Printed::default(),
    }
    if invocation.status == Status::Failed {
        // The agent's own last word.
        printed.stderr += &format!("failed to run commands: exit status {}", code(invocation));
    }
    printed
}

/// A script that pulls nothing is not run; it says where it would have been.
fn plain(node: &Node, invocation: &Invocation) -> Printed {
    Printed {
        stdout: format!("{}\n", node.name),
        stderr: match invocation.status {
            Status::Failed => format!("failed to run commands: exit status {}", code(invocation)),
            _ => String::new(),
        },
        code: Some(code(invocation)),
    }
}

fn code(invocation: &Invocation) -> i32 {
    match invocation.status {
        Status::Success => 0,
        Status::Failed if invocation.fate == Fate::Noisy => 3,
        Status::Failed => 1,
        _ => KILLED,
    }
}

fn unit(image: &ImageName) -> String {
    format!("image-{}.service", image.app.to_ascii_lowercase())
}

fn pulling(out: &mut String, image: &ImageName, complete: bool) {
    *out += &format!("{}: Pulling from {}\n", image.tag, image.repository);
    for layer in ["3e0a8f4b7c21", "9b1d6c5e0f37", "c47f2ad91e60", "58d3b02fa6c9"] {
        *out += &format!("{layer}: Pulling fs layer\n");
        if complete {
            *out += &format!("{layer}: Download complete\n{layer}: Pull complete\n");
        }
    }
}

fn pulled(out: &mut String, image: &ImageName, reference: &str, invocation: &Invocation) {
    pulling(out, image, true);
    let digest = invocation.digest.as_deref().unwrap_or("unknown");
    *out += &format!("Digest: {digest}\nStatus: Downloaded newer image for {reference}\n{reference}\n");
}

fn succeed(out: &mut String, image: &ImageName, reference: &str, invocation: &Invocation) {
    pulled(out, image, reference, invocation);
    let digest = invocation.digest.as_deref().unwrap_or("unknown");
    *out += &format!("{} is up with {digest} after 3 s\n", unit(image));
}
