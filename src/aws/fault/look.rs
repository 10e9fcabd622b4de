//! From the SDK's error to a [`Failed`].

use std::error::Error;
use std::io;

use aws_sdk_ssm::config::http::HttpResponse;
use aws_sdk_ssm::error::{ProvideErrorMetadata, SdkError};

use super::Failed;
use super::credentials;
use crate::names::Millis;

impl<E> From<&SdkError<E, HttpResponse>> for Failed
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    fn from(error: &SdkError<E, HttpResponse>) -> Self {
        match error {
            SdkError::ServiceError(answer) => {
                let (meta, raw) = (answer.err().meta(), answer.raw());
                let status = raw.status().as_u16();
                match (meta.code(), meta.message()) {
                    (None, None) => Self::Garbled {
                        status,
                        says: "no error code in it".to_owned(),
                    },
                    (code, says) => Self::Answer {
                        code: code.unwrap_or_default().to_owned(),
                        says: says.unwrap_or_default().to_owned(),
                        status,
                        skew_secs: raw.headers().get("date").and_then(skew_secs),
                    },
                }
            }
            SdkError::ResponseError(answer) => Self::Garbled {
                status: answer.raw().status().as_u16(),
                says: "it can't be read".to_owned(),
            },
            SdkError::TimeoutError(_) => Self::TimedOut,
            SdkError::DispatchFailure(failure) => {
                let is_timeout = failure.is_timeout();
                match failure.as_connector_error() {
                    Some(error) => undelivered(error, is_timeout),
                    None => undelivered(error, is_timeout),
                }
            }
            // Construction failures; the enumeration may grow.
            error => credentials::Lack::find(error)
                .map_or_else(|| Self::NotBuilt { says: causes(error) }, Self::NoCredentials),
        }
    }
}

fn undelivered(error: &(dyn Error + 'static), is_timeout: bool) -> Failed {
    if let Some(lack) = credentials::Lack::find(error) {
        return Failed::NoCredentials(lack);
    }
    let says = causes(error);
    // hyper-util names the phase in its text only.
    let name_unknown = says.contains("dns error") || says.contains("failed to lookup address");
    let no_connection = name_unknown
        || says.contains("tcp connect error")
        || says.contains("(Connect)")
        || says.contains("invalid peer certificate")
        || says.to_ascii_lowercase().contains("connect timeout")
        || chain(error)
            .filter_map(|error| error.downcast_ref::<io::Error>())
            .any(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if no_connection {
        let says = says.replace("client error (Connect): ", "");
        Failed::Unreachable { name_unknown, says }
    } else if is_timeout {
        Failed::TimedOut
    } else if says.contains("ndpoint") && !says.contains("connection") {
        // The endpoint rules refused, for instance a region that can't be a host name.
        Failed::NotBuilt { says }
    } else {
        let says = says.replace("client error (SendRequest): ", "");
        Failed::Broken { says }
    }
}

/// An error and what caused it, outermost first.
pub(super) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// The causes' texts in one line, each once, without the SDK's general headings.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in chain(error).map(|error| error.to_string()) {
        let is_heading = matches!(
            text.as_str(),
            "dispatch failure" | "io error" | "timeout" | "other" | "failed to construct request" | "user error"
        ) || text.ends_with("interceptor encountered an error");
        if !is_heading && !texts.iter().any(|earlier| earlier.contains(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}

/// The sender's clock minus ours, out of a Date header.
fn skew_secs(date: &str) -> Option<i64> {
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp().as_second();
    Some(theirs - Millis::now().0 / 1000)
}
