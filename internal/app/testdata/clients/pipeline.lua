-- wrk: sixteen requests at once on each connection.
function init()
  local one = wrk.format("GET", "/cached/1024")
  local many = {}
  for i = 1, 16 do many[i] = one end
  many = table.concat(many)
  function request() return many end
end
function done(s)
  local e = s.errors
  print(string.format("RESULT %d %d %d", s.requests, e.status, e.connect + e.read + e.write + e.timeout))
end
