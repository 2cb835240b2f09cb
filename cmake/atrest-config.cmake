# find_package(atrest): the targets atrest::atrest (the shared library, or the static one where there is no other) and
# atrest::static. This file is installed in PREFIX/share/cmake/atrest/.

# What the header shows only when asked to, and what the static library is linked with. contrib/install writes it for the
# features that the library has. The compiler itself links the unwinder, shared or static as the program is.
set(_atrest_definitions)
set(_atrest_system_libraries pthread dl m)
include("${CMAKE_CURRENT_LIST_DIR}/atrest-features.cmake" OPTIONAL)

get_filename_component(_atrest_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(_atrest_hints "${_atrest_prefix}/lib" "${_atrest_prefix}/lib64")
if(CMAKE_LIBRARY_ARCHITECTURE)
  list(APPEND _atrest_hints "${_atrest_prefix}/lib/${CMAKE_LIBRARY_ARCHITECTURE}")
endif()

find_path(atrest_INCLUDE_DIR atrest.h PATHS "${_atrest_prefix}/include" PATH_SUFFIXES atrest NO_DEFAULT_PATH)
find_library(atrest_STATIC_LIBRARY NAMES libatrest.a PATHS ${_atrest_hints} NO_DEFAULT_PATH)
find_library(atrest_SHARED_LIBRARY NAMES libatrest.so libatrest.dylib PATHS ${_atrest_hints} NO_DEFAULT_PATH)
mark_as_advanced(atrest_INCLUDE_DIR atrest_STATIC_LIBRARY atrest_SHARED_LIBRARY)

if(NOT atrest_INCLUDE_DIR OR NOT (atrest_STATIC_LIBRARY OR atrest_SHARED_LIBRARY))
  set(atrest_FOUND FALSE)
  set(atrest_NOT_FOUND_MESSAGE "no atrest.h or no libatrest under ${_atrest_prefix}")
  return()
endif()

if(atrest_STATIC_LIBRARY AND NOT TARGET atrest::static)
  add_library(atrest::static STATIC IMPORTED)
  set_target_properties(atrest::static PROPERTIES
    IMPORTED_LOCATION "${atrest_STATIC_LIBRARY}"
    INTERFACE_COMPILE_DEFINITIONS "${_atrest_definitions}"
    INTERFACE_INCLUDE_DIRECTORIES "${atrest_INCLUDE_DIR}")
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND _atrest_system_libraries)
    set_target_properties(atrest::static PROPERTIES INTERFACE_LINK_LIBRARIES "${_atrest_system_libraries}")
  endif()
endif()

if(NOT TARGET atrest::atrest)
  if(atrest_SHARED_LIBRARY)
    add_library(atrest::atrest SHARED IMPORTED)
    set_target_properties(atrest::atrest PROPERTIES
      IMPORTED_LOCATION "${atrest_SHARED_LIBRARY}"
      INTERFACE_COMPILE_DEFINITIONS "${_atrest_definitions}"
      INTERFACE_INCLUDE_DIRECTORIES "${atrest_INCLUDE_DIR}")
  else()
    add_library(atrest::atrest INTERFACE IMPORTED)
    set_target_properties(atrest::atrest PROPERTIES INTERFACE_LINK_LIBRARIES atrest::static)
  endif()
endif()

unset(_atrest_prefix)
unset(_atrest_hints)
unset(_atrest_definitions)
unset(_atrest_system_libraries)
