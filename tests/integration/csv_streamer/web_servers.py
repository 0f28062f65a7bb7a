"""Web servers as they are installed, each serving one folder in the same ways, on loopback and a free port.

Below ``/files/`` the folder itself; ``/whole/`` the folder without ranges; ``/private/`` the folder for a password;
``/moved/NAME`` and ``/private/moved/NAME`` redirect to the file, the latter to where the password is asked for.
"""

import base64
import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER, PASSWORD = "user", "secret"
_SECONDS = 20


@dataclass(frozen=True)
class Place:
    """Where a server runs."""

    folder: Path
    """For its configuration and what it writes."""
    files: Path
    port: int
    program: str


@dataclass(frozen=True)
class Kind:
    """A server's programs, of which the first that is installed is taken, and its command line."""

    programs: tuple[str, ...]
    configure: Callable[[Place], list[str]]


def find_program(names: tuple[str, ...]) -> str | None:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serve(kind: Kind, folder: Path, files: Path, program: str) -> Iterator[int]:
    """Run a server; the port that it listens at."""
    place = Place(folder, files, free_port(), program)
    command = kind.configure(place)
    log = (folder / "output.log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        _wait(place.port, process, folder / "output.log")
        yield place.port
    finally:
        process.terminate()
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"the server does not listen: {log.read_text(errors='replace')[-2000:]}")


def _write(place: Place, name: str, text: str) -> Path:
    path = place.folder / name
    path.write_text(text)
    path.chmod(0o644)
    return path


def _configure_nginx(place: Place) -> list[str]:
    _write(place, "users", f"{USER}:{{PLAIN}}{PASSWORD}\n")
    config = _write(
        place,
        "nginx.conf",
        f"""
daemon off; {"user root;" if os.geteuid() == 0 else ""} worker_processes 1; pid {place.folder}/pid; error_log stderr;
events {{ worker_connections 64; }}
http {{
  types {{ text/csv csv; text/html html; }}
  access_log off; client_body_temp_path {place.folder}/t; proxy_temp_path {place.folder}/t;
  fastcgi_temp_path {place.folder}/t;
  uwsgi_temp_path {place.folder}/t; scgi_temp_path {place.folder}/t;
  limit_conn_zone $server_name zone=all:1m;
  server {{
    listen 127.0.0.1:{place.port}; server_name files;
    location /files/ {{ alias {place.files}/; }}
    location /whole/ {{ alias {place.files}/; max_ranges 0; }}
    location /limited/ {{ alias {place.files}/; limit_conn all 1; limit_conn_status 403; limit_rate 4m; }}
    location /limited-503/ {{ alias {place.files}/; limit_conn all 2; limit_rate 4m; }}
    location /refused/ {{ alias {place.files}/; if ($http_range) {{ return 405; }} }}
    location /private/ {{ alias {place.files}/; auth_basic "files"; auth_basic_user_file {place.folder}/users; }}
    location ~ ^/private/moved/(.*)$ {{ return 302 /private/$1; }}
    location ~ ^/moved/(.*)$ {{ return 301 /files/$1; }}
  }}
}}
""",
    )
    return [place.program, "-c", str(config), "-p", str(place.folder)]


def _configure_apache(place: Place) -> list[str]:
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode(), usedforsecurity=False).digest()).decode()
    _write(place, "users", f"{USER}:{{SHA}}{digest}\n")
    modules = "/usr/lib/apache2/modules"
    names = ["mpm_event", "authz_core", "authn_core", "authn_file", "auth_basic", "authz_user", "alias", "mime", "dir"]
    load = "\n".join(f"LoadModule {name}_module {modules}/mod_{name}.so" for name in names)
    config = _write(
        place,
        "apache.conf",
        f"""
{load}
ServerRoot {place.folder}
ServerName files
Listen 127.0.0.1:{place.port}
PidFile {place.folder}/pid
ErrorLog {place.folder}/error.log
{"User www-data" if os.geteuid() == 0 else ""}
DocumentRoot {place.files}
TypesConfig /dev/null
AddType text/csv .csv
<Directory {place.files}>
  Require all granted
</Directory>
Alias /files/ {place.files}/
Alias /whole/ {place.files}/
<Location /whole/>
  MaxRanges none
</Location>
RedirectMatch 302 ^/private/moved/(.*)$ /private/$1
RedirectMatch 301 ^/moved/(.*)$ /files/$1
Alias /private/ {place.files}/
<Location /private/>
  AuthType Basic
  AuthName files
  AuthBasicProvider file
  AuthUserFile {place.folder}/users
  Require valid-user
</Location>
""",
    )
    return [place.program, "-f", str(config), "-D", "FOREGROUND"]


def _configure_lighttpd(place: Place) -> list[str]:
    _write(place, "users", f"{USER}:{PASSWORD}\n")
    config = _write(
        place,
        "lighttpd.conf",
        f"""
server.modules = ("mod_alias", "mod_redirect", "mod_auth", "mod_authn_file")
server.document-root = "{place.files}"
server.bind = "127.0.0.1"
server.port = {place.port}
server.errorlog = "{place.folder}/error.log"
mimetype.assign = (".csv" => "text/csv", ".html" => "text/html")
alias.url = ("/files/" => "{place.files}/", "/whole/" => "{place.files}/", "/private/" => "{place.files}/")
url.redirect = ("^/private/moved/(.*)$" => "/private/$1", "^/moved/(.*)$" => "/files/$1")
url.redirect-code = 302
$HTTP["url"] =~ "^/whole/" {{ server.range-requests = "disable" }}
auth.backend = "plain"
auth.backend.plain.userfile = "{place.folder}/users"
auth.require = ("/private/" => ("method" => "basic", "realm" => "files", "require" => "valid-user"))
""",
    )
    return [place.program, "-D", "-f", str(config)]


def _configure_caddy(place: Place) -> list[str]:
    hashed = subprocess.run(
        [place.program, "hash-password", "--plaintext", PASSWORD], capture_output=True, text=True, check=True
    ).stdout.strip()
    config = _write(
        place,
        "Caddyfile",
        f"""
{{
  admin off
  auto_https off
  storage file_system {place.folder}/storage
}}
http://127.0.0.1:{place.port} {{
  root * {place.files}
  @moved path_regexp moved ^/moved/(.*)$
  redir @moved /files/{{re.moved.1}} 301
  @private path_regexp private ^/private/moved/(.*)$
  basicauth /private/* {{
    {USER} {hashed}
  }}
  redir @private /private/{{re.private.1}} 302
  handle_path /files/* {{
    file_server
  }}
  handle_path /whole/* {{
    request_header -Range
    file_server
  }}
  handle_path /private/* {{
    file_server
  }}
}}
""",
    )
    return [place.program, "run", "--config", str(config), "--adapter", "caddyfile"]


_NODE = """
const fs = require('fs'), http = require('http'), path = require('path');
const [port, root, user, password] = process.argv.slice(2);
const wanted = 'Basic ' + Buffer.from(`${user}:${password}`).toString('base64');
http.createServer((request, response) => {
  const [, area, ...rest] = request.url.split('?')[0].split('/');
  const moved = rest[0] === 'moved' || area === 'moved';
  if (area === 'private' && request.headers.authorization !== wanted) {
    response.writeHead(401, {'WWW-Authenticate': 'Basic realm="files"'}); return response.end();
  }
  if (moved) {
    const name = area === 'moved' ? rest.join('/') : rest.slice(1).join('/');
    response.writeHead(302, {Location: area === 'moved' ? `/files/${name}` : `../${name}`}); return response.end();
  }
  const file = path.join(root, decodeURIComponent(rest.join('/')));
  fs.stat(file, (error, stat) => {
    if (error || !stat.isFile()) { response.writeHead(404); return response.end(); }
    const etag = `"${stat.size.toString(16)}-${stat.mtimeMs.toString(16)}"`;
    const headers = {ETag: etag, 'Last-Modified': stat.mtime.toUTCString(), 'Content-Type': 'text/csv'};
    if (request.headers['if-none-match'] === etag) { response.writeHead(304, headers); return response.end(); }
    const range = /^bytes=(\\d+)-(\\d*)$/.exec(request.headers.range || '');
    if (range && area !== 'whole' && request.headers['if-range'] === etag) {
      const start = +range[1], end = range[2] ? +range[2] : stat.size - 1;
      const length = {'Content-Range': `bytes ${start}-${end}/${stat.size}`, 'Content-Length': end - start + 1};
      response.writeHead(206, {...headers, ...length});
      return fs.createReadStream(file, {start, end}).pipe(response);
    }
    const accept = area === 'whole' ? {} : {'Accept-Ranges': 'bytes', 'Content-Length': stat.size};
    response.writeHead(200, {...headers, ...accept});
    fs.createReadStream(file).pipe(response);
  });
}).listen(+port, '127.0.0.1');
"""


def _configure_node(place: Place) -> list[str]:
    script = _write(place, "server.js", _NODE)
    return [place.program, str(script), str(place.port), str(place.files), USER, PASSWORD]


def _configure_tinyproxy(place: Place) -> list[str]:
    config = _write(
        place,
        "tinyproxy.conf",
        f"""
Port {place.port}
Listen 127.0.0.1
Timeout 60
LogFile "{place.folder}/proxy.log"
LogLevel Connect
MaxClients 50
BasicAuth {USER} {PASSWORD}
Allow 127.0.0.1
""",
    )
    return [place.program, "-d", "-c", str(config)]


KINDS = {
    "nginx": Kind(("nginx",), _configure_nginx),
    "apache": Kind(("apache2", "httpd"), _configure_apache),
    "lighttpd": Kind(("lighttpd",), _configure_lighttpd),
    "caddy": Kind(("caddy",), _configure_caddy),
    "node": Kind(("node", "nodejs"), _configure_node),
}
TINYPROXY = Kind(("tinyproxy",), _configure_tinyproxy)
