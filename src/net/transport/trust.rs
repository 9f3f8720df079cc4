//! Which certificate authorities are trusted beside the system's: those of the settings, of the variables
//! that other tools of the trade read, and nothing else. It must never turn verification off.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::settings::Settings;
use crate::system::System;
use crate::system::files::Stamp;

/// No file of certificates is longer than this, in bytes.
const LIMIT: usize = 8 << 20;
/// What the setting is called.
const SETTING: &str = "extraCaFiles";
/// The variables that name files or folders of certificates for one tool or another, in the order in which they are
/// told of.
const VARIABLES: [&str; 4] = ["SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"];
/// Files that one folder of certificates may hold.
const FOLDER_LIMIT: usize = 4096;

/// One place that certificates come from, with its state, so that a change is noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The setting or variable that names it.
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    stamp: Option<Stamp>,
}

/// The places in force, in order. Nothing is read yet.
///
/// A setting's path is relative to the folder of settings, never to the working folder: whoever made that folder
/// is not to be trusted with a certificate.
pub(crate) fn sources(settings: &Settings, system: &System) -> Vec<Source> {
    let folder = system.dirs.config.clone().unwrap_or_default();
    let files = settings.extra_ca_files.iter().map(|path| (SETTING, folder.join(path)));
    let variables = VARIABLES.iter().flat_map(|name| {
        let value = system.env.get(name).unwrap_or_default();
        // Only this one is a list.
        let separator = match *name {
            "SSL_CERT_DIR" if cfg!(windows) => ';',
            "SSL_CERT_DIR" => ':',
            _ => '\0',
        };
        let paths = value.split(separator).map(str::trim).filter(|path| !path.is_empty());
        paths.map(|path| (*name, PathBuf::from(path))).collect::<Vec<_>>()
    });
    let mut sources: Vec<Source> = Vec::new();
    for (name, path) in files.chain(variables) {
        if !sources.iter().any(|known| known.path == path) {
            let stamp = system.files.stamp(&path).ok();
            sources.push(Source { name, path, stamp });
        }
    }
    sources
}

/// The certificates of all places, and what a person should know of those that could not be read.
pub(crate) fn load(sources: &[Source], system: &System) -> (Vec<CertificateDer<'static>>, Vec<String>) {
    let mut certificates = Vec::new();
    let mut warnings = Vec::new();
    for source in sources {
        if let Err(why) = add(source, system, &mut certificates) {
            let Source { name, path, .. } = source;
            warnings.push(format!("the certificates of {} ({name}) are not used: {why}", path.display()));
        }
    }
    (certificates, warnings)
}

/// How many certificates one place has, or why none can be used.
pub(crate) fn count(source: &Source, system: &System) -> Result<usize, String> {
    let mut certificates = Vec::new();
    add(source, system, &mut certificates).map(|()| certificates.len())
}

fn add(
    source: &Source,
    system: &System,
    certificates: &mut Vec<CertificateDer<'static>>,
) -> Result<(), String> {
    if !source.path.is_absolute() {
        return Err("the path is not absolute".to_owned());
    }
    if !source.stamp.is_some_and(|stamp| stamp.is_dir) {
        return add_file(&source.path, system, certificates);
    }
    let mut entries = system.files.list(&source.path).map_err(|error| error.to_string())?;
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    let before = certificates.len();
    for entry in entries.iter().take(FOLDER_LIMIT) {
        // A folder of certificates holds other files too.
        let _ = add_file(&entry.path, system, certificates);
    }
    if certificates.len() == before { Err("no usable certificate in the folder".to_owned()) } else { Ok(()) }
}

fn add_file(
    path: &Path,
    system: &System,
    certificates: &mut Vec<CertificateDer<'static>>,
) -> Result<(), String> {
    let bytes = system.files.read_start(path, LIMIT + 1).map_err(|error| error.to_string())?;
    if bytes.len() > LIMIT {
        return Err(format!("the file is longer than {LIMIT} bytes"));
    }
    let mut found = 0;
    let mut add = |der: CertificateDer<'static>| {
        // One unusable certificate must not spoil the others: the platform's verifier refuses them all.
        if RootCertStore::empty().add(der.clone()).is_ok() {
            certificates.push(der);
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_once_and_never_from_the_working_folder() {
        let folder = tempfile::tempdir().unwrap();
        let authority = rcgen::CertificateParams::new(vec!["x.test".to_owned()]).unwrap();
        let pem = authority.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
        let mut system = System::real();
        system.files.replace(&folder.path().join("ca.pem"), pem.as_bytes()).unwrap();
        system.files.replace(&folder.path().join("notes.txt"), b"nothing").unwrap();
        let path = folder.path().display().to_string();
        system.dirs.config = Some(folder.path().to_path_buf());
        system.working_dir = folder.path().to_path_buf();
        system.env = [
            ("SSL_CERT_FILE", "ca.pem".to_owned()),
            ("SSL_CERT_DIR", format!("{path}:/does/not/exist")),
            ("NODE_EXTRA_CA_CERTS", format!("{path}/ca.pem")),
            ("REQUESTS_CA_BUNDLE", path),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect();
        let settings = Settings { extra_ca_files: vec!["ca.pem".into()], ..Settings::default() };
        let sources = sources(&settings, &system);
        let counts: Vec<_> =
            sources.iter().map(|source| (source.name, count(source, &system).ok())).collect();
        let expected = [
            ("extraCaFiles", Some(1)),
            // Relative to the working folder, which others may have made.
            ("SSL_CERT_FILE", None),
            ("SSL_CERT_DIR", Some(1)),
            ("SSL_CERT_DIR", None),
        ];
        assert_eq!(counts, expected);
        let (certificates, warnings) = load(&sources, &system);
        assert_eq!(certificates.len(), 2);
        assert!(warnings[0].ends_with("ca.pem (SSL_CERT_FILE) are not used: the path is not absolute"));
        assert!(warnings[1].contains("/does/not/exist (SSL_CERT_DIR)"), "{warnings:?}");
    }
}
