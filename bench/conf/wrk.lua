-- Prints what wrk knows when it has finished. With "hosts FILE" each request goes to the next host of a file; with "objects N" to
-- a path of its own out of N. Without, nothing runs for each request.
local requests, n, i = {}, 0, 0

function init(args)
  if args[1] == "hosts" then
    for host in io.lines(args[2]) do
      wrk.headers["Host"] = host
      n = n + 1
      requests[n] = wrk.format()
    end
    function request()
      i = i % n + 1
      return requests[i]
    end
  elseif args[1] == "objects" then
    n = tonumber(args[2])
    local head, tail = wrk.format("GET", "/obj/@/1k"):match("^(.-)@(.*)$")
    math.randomseed(1)
    function request()
      return head .. math.random(0, n - 1) .. tail
    end
  end
end

function done(s, latency)
  local e = s.errors
  print(string.format("RESULT %d %d %d %d", s.requests, s.bytes, e.status, e.connect + e.read + e.write + e.timeout))
end
