-- Prints what wrk knows when it has finished; nothing runs for each request.
done = function(s, latency)
  local e = s.errors
  print(string.format("RESULT %d %d %d %d", s.requests, s.bytes, e.status, e.connect + e.read + e.write + e.timeout))
end
