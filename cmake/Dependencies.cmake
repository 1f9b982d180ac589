# Each dependency becomes an imported target berth::dep::NAME. The system's own static archive is used where
# there is one; BERTH_DEPENDENCIES names a folder with archives that the system lacks (integration/setup fills it).
set(BERTH_DEPENDENCIES "${PROJECT_SOURCE_DIR}/build/dependencies" CACHE PATH
    "Folder with include/ and lib/ of dependencies that the system has no static archive of")

set(berth_missing "")

function(berth_dependency name package header library)
  find_path(BERTH_${name}_INCLUDE "${header}" HINTS "${BERTH_DEPENDENCIES}/include")
  mark_as_advanced(BERTH_${name}_INCLUDE)
  if(NOT BERTH_${name}_INCLUDE)
    set(berth_missing "${berth_missing}\n  ${name}: no ${header}; install the package ${package}" PARENT_SCOPE)
    return()
  endif()
  add_library(berth::dep::${name} INTERFACE IMPORTED GLOBAL)
  target_include_directories(berth::dep::${name} SYSTEM INTERFACE "${BERTH_${name}_INCLUDE}")
  if(NOT library)
    return()
  endif()
  find_library(BERTH_${name}_ARCHIVE "${library}" HINTS "${BERTH_DEPENDENCIES}/lib")
  mark_as_advanced(BERTH_${name}_ARCHIVE)
  if(NOT BERTH_${name}_ARCHIVE)
    set(berth_missing "${berth_missing}\n  ${name}: no static ${library}; install the package ${package}" PARENT_SCOPE)
    return()
  endif()
  target_link_libraries(berth::dep::${name} INTERFACE "${BERTH_${name}_ARCHIVE}")
endfunction()

berth_dependency(seccomp libseccomp-dev seccomp.h libseccomp.a)
berth_dependency(cap libcap-dev sys/capability.h libcap.a)
berth_dependency(mnl "libmnl-dev (1.0.5 or newer, Debian 13; integration/setup fetches it)" libmnl/libmnl.h libmnl.a)
berth_dependency(json nlohmann-json3-dev nlohmann/json.hpp "")
berth_dependency(fmt libfmt-dev fmt/format.h "")
berth_dependency(cli11 libcli11-dev CLI/CLI.hpp "")
if(BERTH_TESTS)
  berth_dependency(catch2 catch2 catch2/catch.hpp "")
endif()

if(berth_missing)
  message(FATAL_ERROR "berth cannot be built here:${berth_missing}\n(integration/setup installs all of them on Debian)")
endif()

# Header-only: Debian ships libfmt as a shared library alone.
target_compile_definitions(berth::dep::fmt INTERFACE FMT_HEADER_ONLY=1)
