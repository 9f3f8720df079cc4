//! Which certificate authorities are trusted beside the system's: those of the settings, of the variables
//! that other tools of the trade read, and nothing else. It must never turn verification off.

use std::path::{Path, PathBuf};

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::settings::Settings;
use crate::system::System;
use crate::system::files::Stamp;

/// No file of certificates is longer than this, in bytes.
const LIMIT: usize = 8 << 20;
/// Files that one folder of certificates may hold.
const FOLDER_LIMIT: usize = 4096;

/// One place that certificates come from, with its state, so that a change is noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    path: PathBuf,
    kind: Kind,
    stamp: Option<Stamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
}

/// The places in force, in order. Nothing is read yet.
pub(crate) fn sources(settings: &Settings, system: &System) -> Vec<Source> {
    let variable = |name: &str| system.env.get(name).map(|value| system.working_dir.join(value.trim()));
    let files = settings
        .extra_ca_files
        .iter()
        .map(|path| system.working_dir.join(path))
        .chain(variable("SSL_CERT_FILE"))
        .chain(variable("NODE_EXTRA_CA_CERTS"))
        .map(|path| (path, Kind::File));
    let separator = if cfg!(windows) { ';' } else { ':' };
    let folders = system
        .env
        .get("SSL_CERT_DIR")
        .into_iter()
        .flat_map(|list| list.split(separator))
        .filter(|dir| !dir.trim().is_empty())
        .map(|dir| (system.working_dir.join(dir.trim()), Kind::Folder));
    files
        .chain(folders)
        .map(|(path, kind)| {
            let stamp = system.files.stamp(&path).ok();
            Source { path, kind, stamp }
        })
        .collect()
}

/// The certificates of all places, and what a person should know of those that could not be read.
pub(crate) fn load(sources: &[Source], system: &System) -> (Vec<Certificate>, Vec<String>) {
    let mut certificates = Vec::new();
    let mut warnings = Vec::new();
    for source in sources {
        match source.kind {
            Kind::File => {
                if let Err(why) = add_file(&source.path, system, &mut certificates) {
                    warnings.push(format!("certificates of {} are not used: {why}", source.path.display()));
                }
            }
            Kind::Folder => match system.files.list(&source.path) {
                Ok(mut entries) => {
                    entries.sort_by(|one, other| one.path.cmp(&other.path));
                    for entry in entries.iter().take(FOLDER_LIMIT) {
                        // A folder of certificates holds other files too.
                        let _ = add_file(&entry.path, system, &mut certificates);
                    }
                }
                Err(error) => {
                    warnings.push(format!("certificates in {} are not used: {error}", source.path.display()));
                }
            },
        }
    }
    (certificates, warnings)
}

fn add_file(path: &Path, system: &System, certificates: &mut Vec<Certificate>) -> Result<(), String> {
    let bytes = system.files.read_start(path, LIMIT + 1).map_err(|error| error.to_string())?;
    if bytes.len() > LIMIT {
        return Err(format!("the file is longer than {LIMIT} bytes"));
    }
    let mut found = 0;
    let mut add = |der: CertificateDer<'static>| {
        // One unusable certificate must not spoil the others: the platform's verifier refuses them all.
        if RootCertStore::empty().add(der.clone()).is_ok()
            && let Ok(certificate) = Certificate::from_der(&der)
        {
            certificates.push(certificate);
            found += 1;
        }
    };
    if memchr::memmem::find(&bytes, b"-----BEGIN").is_some() {
        CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok).for_each(&mut add);
    } else {
        add(CertificateDer::from(bytes));
    }
    if found == 0 { Err("no usable certificate in the file".to_owned()) } else { Ok(()) }
}
