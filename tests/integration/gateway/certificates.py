"""Certificates made for one test."""

import pathlib
import subprocess


def certificate(folder, name, issuer=None, host="127.0.0.1"):
    """A key and certificate; of an authority when there is no issuer."""
    key, cert = f"{folder}/{name}.key", f"{folder}/{name}.pem"
    extension = f"subjectAltName=IP:{host}" if issuer else "basicConstraints=critical,CA:TRUE"
    signed = ["-CA", f"{folder}/{issuer}.pem", "-CAkey", f"{folder}/{issuer}.key"] if issuer else []
    request = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
               "-subj", f"/CN={name}"]
    if not issuer:
        subprocess.run([*request, "-x509", "-days", "2", "-addext", extension, "-out", cert], check=True,
                       capture_output=True)
        return cert, key
    subprocess.run([*request, "-out", f"{cert}.csr"], check=True, capture_output=True)
    pathlib.Path(f"{cert}.ext").write_text(extension)
    subprocess.run(["openssl", "x509", "-req", "-in", f"{cert}.csr", *signed, "-CAcreateserial", "-days", "2",
                    "-extfile", f"{cert}.ext", "-out", cert], check=True, capture_output=True)
    return cert, key
