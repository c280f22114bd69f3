-- The health of every kind of kluis.dev, for Argo CD: one script, since the
-- conditions mean the same everywhere. Lua 5.1, as Argo CD runs it.
--
-- Looked at in the order in which one statement overrules the next: what is not
-- told of this generation yet, what is under way, what cannot go on, what is so.

local function condition(conditions, name)
  for _, found in ipairs(conditions) do
    if found.type == name then
      return found
    end
  end
  return nil
end

local function holds(found)
  return found ~= nil and found.status == "True"
end

local function told(found, otherwise)
  if found ~= nil and found.message ~= nil and found.message ~= "" then
    return found.message
  end
  return otherwise
end

local status = obj.status
if status == nil or status.conditions == nil then
  return { status = "Progressing", message = "The operator has not looked at it yet." }
end

-- -1 until the first look, so that nothing looks current before it.
if obj.metadata.generation ~= nil and status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "The operator has not seen this version yet." }
end

local conditions = status.conditions
local stalled = condition(conditions, "Stalled")
local reconciling = condition(conditions, "Reconciling")
-- A long-lived kind is Ready, a bounded one has Succeeded.
local done = condition(conditions, "Ready") or condition(conditions, "Succeeded")

if obj.metadata.deletionTimestamp ~= nil then
  if holds(stalled) then
    return { status = "Degraded", message = told(stalled, "It cannot be deleted.") }
  end
  return { status = "Progressing", message = told(reconciling, "It is being deleted.") }
end

if holds(stalled) then
  return { status = "Degraded", message = told(stalled, "It cannot go on without a change.") }
end

if holds(reconciling) then
  return { status = "Progressing", message = told(reconciling, "It is being worked on.") }
end

if holds(done) then
  if obj.spec ~= nil and obj.spec.suspend == true then
    return { status = "Suspended", message = told(done, "Backups are suspended.") }
  end
  -- As declared, and its backups do no good: the message of Ready says why.
  local healthy = condition(conditions, "Healthy")
  if healthy ~= nil and healthy.status == "False" then
    return { status = "Degraded", message = told(done, told(healthy, "")) }
  end
  return { status = "Healthy", message = told(done, "") }
end

if done ~= nil and done.status == "False" then
  return { status = "Degraded", message = told(done, "It is not as declared.") }
end

return { status = "Progressing", message = told(done, "Its state is not known yet.") }
