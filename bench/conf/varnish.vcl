# Objects are kept in memory; hitch speaks TLS in front.
vcl 4.1;
backend origin { .host = "127.0.0.1"; .port = "{{.OriginPort}}"; }
sub vcl_recv {
{{- range .Behaviors}}
  if (req.url ~ "^/{{.}}/") { return (hash); }
{{- else}}
  if (req.url ~ "^/pass/") { return (pass); }
{{- end}}
  return (hash);
}
sub vcl_deliver {
  if (obj.hits > 0) { set resp.http.X-Cache = "HIT"; } else { set resp.http.X-Cache = "MISS"; }
}
